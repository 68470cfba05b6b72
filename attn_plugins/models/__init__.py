"""Hosts and heads that OpenMMLab lacks. Most need one of its libraries, so nothing is imported here."""

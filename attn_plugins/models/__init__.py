"""Hosts and heads that OpenMMLab lacks. Each needs one of its libraries, so nothing is imported here."""

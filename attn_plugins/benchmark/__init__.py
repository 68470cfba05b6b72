"""Trains suites of configs with and without attention, over seeds, and reports how they compare."""

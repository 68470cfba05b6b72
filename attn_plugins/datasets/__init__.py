"""Data sets: DigitScenes, the embedded default, and the check that a config's data exist and fit its model."""

"""Reads the gates of a trained model: measures what they do (census), and merges the constant ones (fold)."""

"""Reads the gates of a trained model: what they do (census), and what is left without the constant ones (fold)."""

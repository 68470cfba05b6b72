"""Draws what a trained model looks at: class activation maps, attention maps, gates, effective receptive fields."""

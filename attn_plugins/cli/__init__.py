"""Implements the command lines; `tools/` holds a thin file for each."""

"""Compares the results of a suite and writes them for screen, Markdown, HTML, CSV and LaTeX."""

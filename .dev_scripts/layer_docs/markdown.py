"""Pieces of Markdown that the README's tables and the layers' pages share."""

import re


def table(header: list[str], rows: list[list]) -> str:
    """A Markdown table."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(
        '| ' + ' | '.join(str(cell).replace('|', r'\|') for cell in line) + ' |' for line in lines
    )


def linked(text: str) -> str:
    """Papers and commits in a text as links."""
    text = re.sub(r'arXiv:(\d{4}\.\d{4,5})', r'[arXiv:\1](https://arxiv.org/abs/\1)', text)
    return re.sub(r'\b([\w.-]+/[\w.-]+) ([0-9a-f]{7})\b', r'[\1 \2](https://github.com/\1/tree/\2)', text)

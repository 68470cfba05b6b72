"""Pieces of Markdown that generated tables and the layers' pages share."""

import re
import textwrap

# A line of prose in a page has at most as many characters.
WIDTH = 120


def table(header: list[str], rows: list[list]) -> str:
    """A Markdown table."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(
        '| ' + ' | '.join(str(cell).replace('|', r'\|') for cell in line) + ' |' for line in lines
    )


def prose(text: str) -> str:
    """A paragraph in lines of at most 120 characters, none of which reads as a list, and without breaks in code."""
    kept = re.sub(r'`[^`]{1,70}`', lambda code: code[0].replace(' ', '\0'), text)
    for width in range(WIDTH, WIDTH - 20, -1):
        lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
        if not any(re.match(r'([-+*#>|]|\d+[.)])(\s|$)', line) for line in lines[1:]):
            break
    return '\n'.join(lines).replace('\0', ' ')


def linked(text: str) -> str:
    """Papers and commits in a text as links."""
    text = re.sub(r'arXiv:(\d{4}\.\d{4,5})', r'[arXiv:\1](https://arxiv.org/abs/\1)', text)
    return re.sub(r'\b([\w.-]+/[\w.-]+) ([0-9a-f]{7})\b', r'[\1 \2](https://github.com/\1/tree/\2)', text)

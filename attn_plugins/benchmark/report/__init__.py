"""Compares the results of a suite and writes them for screen, Markdown, HTML, CSV and LaTeX."""


def __getattr__(name: str):
    """Import `write_report` and `print_report` when they are asked for: `compare` does without what they need."""
    if name in ('write_report', 'print_report'):
        from attn_plugins.benchmark.report import write

        return getattr(write, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

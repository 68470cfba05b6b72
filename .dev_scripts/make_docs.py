"""Write docs/layers/, a page per layer and the index, and the table of hosts in docs/insertion.md.

`--check` writes nothing and says whether they are up to date.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from layer_docs import checks, host_table, measure  # noqa: E402
from layer_docs.index import index  # noqa: E402
from layer_docs.page import page  # noqa: E402

DOCS = ROOT / 'docs'


def files() -> dict[str, str]:
    """Every generated file's name and text; the table of checks from what check_layers.py measured."""
    made = {
        'insertion.md': host_table.fill_in((DOCS / 'insertion.md').read_text()),
        'layers/README.md': index(),
        'layers/checks.md': checks.render(json.loads((DOCS / 'layers' / 'checks.json').read_text())),
    }
    for name, layer in measure.layers().items():
        made[f'layers/{name}.md'] = page(name, layer)
    return made


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 if a page is out of date')
    args = parser.parse_args()
    pages = files()
    existing = {
        str(path.relative_to(DOCS)): path for path in (DOCS / 'insertion.md', *(DOCS / 'layers').glob('*.md'))
    }
    stale = sorted(
        name for name in pages if name not in existing or existing[name].read_text() != pages[name]
    )
    obsolete = sorted(existing.keys() - pages.keys())
    if args.check:
        if stale or obsolete:
            print(
                f'docs/ is out of date ({", ".join(stale + obsolete)}): run python .dev_scripts/make_docs.py'
            )
        return int(bool(stale or obsolete))
    for name in stale:
        (DOCS / name).write_text(pages[name])
    for name in obsolete:
        existing[name].unlink()
    return 0


if __name__ == '__main__':
    sys.exit(main())

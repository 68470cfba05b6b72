"""Copies the report of a project's offline suite to projects/NAME/SUITE_report.json, without learning curves."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from attn_plugins.benchmark.suite import read_suite


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'suite', type=Path, help='projects/NAME/suites/SUITE.yml, all of whose runs are finished'
    )
    args = parser.parse_args()
    report = json.loads((read_suite(args.suite).folder / 'report.json').read_text())
    unfinished = [run['name'] for run in report['runs'] if run['state'] != 'finished']
    if unfinished:
        sys.exit(f'not finished: {", ".join(unfinished)}')
    for comparison in report['comparisons']:
        for preset in comparison['presets']:
            del preset['curves']
    path = args.suite.resolve().parents[1] / f'{args.suite.stem}_report.json'
    path.write_text(json.dumps(report, indent=1) + '\n')
    print(path)


if __name__ == '__main__':
    main()

"""Says in one sentence what is wrong with an installed environment; run by install.sh with that environment's Python.

Called with a check, the stack (a folder of requirements/) and the environment's folder. The checks:

`families`: releases of the other OpenMMLab family are there, which own the same files.
`complete`: every version of the stack's lock.txt, mmcv's compiled operators and this checkout are there. Imports
nothing heavy.
`operators`: mmcv's compiled operators load. Imports torch, so it runs once, after an installation.
"""

import json
import sys
from importlib.metadata import distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

ROOT = Path(__file__).resolve().parent.parent
# The distributions of each family; the first is the mmcv that its stack compiles.
FAMILIES = {
    'onedl': (
        'onedl-mmcv',
        'onedl-mmengine',
        'onedl-mmdetection',
        'onedl-mmsegmentation',
        'onedl-mmpretrain',
    ),
    'upstream': (
        'mmcv',
        'mmcv-full',
        'mmcv-lite',
        'mmengine',
        'mmengine-lite',
        'mmdet',
        'mmsegmentation',
        'mmpretrain',
    ),
}
COMMANDS = {'onedl': 'make install', 'upstream': 'make test-upstream'}


def installed() -> dict[str, str]:
    """Normalised name -> version of every distribution; where there are two, the one that is imported."""
    versions = {}
    for dist in distributions():
        versions.setdefault(dist.metadata['Name'].lower().replace('_', '-'), dist.version)
    return versions


def families(stack: str, venv: str) -> str | None:
    """A release of the other family is an error even alone: the stack goes in beside it."""
    here = installed()
    (other,) = FAMILIES.keys() - {stack}
    found = [f'{name} {here[name]}' for name in FAMILIES[other] if name in here]
    if not found:
        return None
    return (
        f'{venv} holds {", ".join(found)} of the {other} family, whose files the {stack} family overwrites; '
        f'delete {venv} and run {COMMANDS[stack]}, or keep it and install into another folder: '
        f'{COMMANDS[stack]} VENV=path/to/another'
    )


def complete(stack: str, venv: str) -> str | None:
    from packaging.requirements import Requirement  # a part of the stack, so it may be missing

    here = installed()
    for line in (ROOT / 'requirements' / stack / 'lock.txt').read_text().splitlines():
        if not line or line.startswith('#'):
            continue
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        found = here.get(wanted.name.lower(), 'not there')
        if found not in wanted.specifier:
            return f'{wanted.name} is {found} in {venv}, and {wanted.specifier} is pinned; run {COMMANDS[stack]} again'
    # The spec of `mmcv._ext` itself would import mmcv, which takes seconds.
    if not list(Path(find_spec('mmcv').origin).parent.glob('_ext.*')):
        return no_operators(stack, venv, 'there is no mmcv/_ext file')
    if 'attn-plugins' not in here:
        return f'attn_plugins itself is not in {venv}; run {COMMANDS[stack]} again'
    source = json.loads(distribution('attn_plugins').read_text('direct_url.json') or '{}').get('url', '')
    if Path(unquote(urlparse(source).path)) != ROOT:
        return f'{venv} holds attn_plugins of {source or "a wheel"} and not of {ROOT}; run {COMMANDS[stack]} again'
    return None


def no_operators(stack: str, venv: str, reason: str) -> str:
    return (
        f'mmcv in {venv} lacks its compiled operators ({reason}); delete {venv}, run '
        f'"uv cache clean {FAMILIES[stack][0]}" and then {COMMANDS[stack]} again'
    )


def operators(stack: str, venv: str) -> str | None:
    try:
        import mmcv._ext  # noqa: F401
    except ImportError as error:
        return no_operators(stack, venv, str(error))
    return None


def main() -> int:
    checks = {'families': families, 'complete': complete, 'operators': operators}
    problem = checks[sys.argv[1]](*sys.argv[2:])
    if problem:
        print(f'error: {problem}', file=sys.stderr)
    return 1 if problem else 0


if __name__ == '__main__':
    sys.exit(main())

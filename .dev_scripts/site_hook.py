"""Let the website have the repository's own tree, so that every link of a page works there as it does on GitHub.

Pages keep their path in the repository: docs/tools.md is docs/tools/, README.md the first page. A link to a file that
is no page, as code and configs, leads to a page with its text, and one to a folder to a list of its files. What does
not exist is left to `mkdocs build --strict`, which names it.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[1]
TOP = ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')
FOLDERS = ('docs', 'projects')
PICTURES = ('.svg', '.png')
LINK = re.compile(r'(?<=\]\()([^)\s#:]+)(?=[)#])')
FENCE = re.compile(r'^(```+|~~~+).*?^\1\s*$', re.DOTALL | re.MULTILINE)
LANGUAGES = {'.py': 'python', '.yml': 'yaml', '.json': 'json', '.sh': 'bash', '.cff': 'yaml', '.toml': 'toml'}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write folders of the navigation, which end with a slash, out as their pages."""
    config.nav = _written_out(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the repository's pages and pictures, and make a page of every other file that they link to."""
    theme = [file for file in files if file.src_dir != config.docs_dir]
    paths = sorted(path for path in map(_in_repository, _found()) if path not in ('.', ''))
    settings = (str(ROOT), config.site_dir, config.use_directory_urls)
    made = Files([*theme, *(File(path, *settings) for path in paths)])
    for target in sorted(_linked(paths) - set(paths)):
        for path, text in _pages_of(target).items():
            if made.get_file_from_path(path) is None:
                made.append(File.generated(config, path, content=text, inclusion=InclusionLevel.NOT_IN_NAV))
    return made


def on_page_markdown(markdown: str, page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to the pages that files and folders have here."""

    def renamed(match: re.Match) -> str:
        target = _resolved(page.file.src_uri, match[0])
        for there in (f'{target}.md', f'{target}/index.md', f'{target}/README.md'):
            if files.get_file_from_path(target) is None and files.get_file_from_path(there) is not None:
                return posixpath.relpath(there, posixpath.dirname(page.file.src_uri) or '.')
        return match[0]

    return _outside_of_code(markdown, renamed)


def _written_out(items: list) -> list:
    written = []
    for item in items:
        if isinstance(item, dict):
            ((title, content),) = item.items()
            if isinstance(content, list):
                item = {title: _written_out(content)}
            elif content.endswith('/'):
                item = {title: _pages_below(ROOT / content)}
        written.append(item)
    return written


def _pages_below(folder: Path) -> list:
    """The folder's own page first; a folder with one page is that page."""
    own = [path for path in (folder / 'README.md', folder / 'index.md') if path.is_file()]
    pages = [path for path in sorted(folder.glob('*.md')) if path not in own]
    below = [
        {path.name: _pages_below(path)}
        for path in sorted(folder.iterdir())
        if path.is_dir() and any(path.rglob('*.md'))
    ]
    return [*map(_in_repository, (*own, *pages)), *below]


def _found() -> list[Path]:
    names = [ROOT / name for name in TOP if (ROOT / name).is_file()]
    for folder in FOLDERS:
        names += [path for path in (ROOT / folder).rglob('*') if path.suffix in ('.md', *PICTURES)]
    return names


def _in_repository(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _resolved(page: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def _linked(paths: list[str]) -> set[str]:
    """What pages link to, as far as it exists in the repository."""
    targets = set()
    for path in paths:
        if path.endswith('.md'):
            text = (ROOT / path).read_text()
            _outside_of_code(
                text, lambda match, path=path: targets.add(_resolved(path, match[0])) or match[0]
            )
    return {target for target in targets if not target.startswith('..') and (ROOT / target).exists()}


def _outside_of_code(text: str, change) -> str:
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(change, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return ''.join([*parts, LINK.sub(change, text[end:])])


def _pages_of(target: str) -> dict[str, str]:
    """Pages of a file or of a folder and its files."""
    path = ROOT / target
    if path.is_file():
        return {f'{target}.md': _source(path)}
    if any((path / name).is_file() for name in ('README.md', 'index.md')):
        return {}
    files = sorted(
        file for file in path.iterdir() if file.is_file() and file.suffix not in ('.pyc', *PICTURES)
    )
    lines = [f'* [{file.name}]({file.name}.md)' for file in files if file.suffix != '.md']
    pages = {f'{target}/{file.name}.md': _source(file) for file in files if file.suffix != '.md'}
    return {f'{target}/index.md': f'{_HIDDEN}# {target}\n\n' + '\n'.join(lines) + '\n', **pages}


_HIDDEN = '---\nsearch:\n  exclude: true\n---\n\n'


def _source(path: Path) -> str:
    language = LANGUAGES.get(path.suffix, 'text')
    return f'{_HIDDEN}# {_in_repository(path)}\n\n~~~~~~{language}\n{path.read_text().rstrip()}\n~~~~~~\n'

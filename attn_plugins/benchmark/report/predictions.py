"""Makes the section of pictures: what each preset predicts for the same images, and where its scores come from."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from attn_plugins.benchmark.report.compare import Comparison, PresetResult
from attn_plugins.benchmark.report.section import Grid, GridCell, Picture, Section
from attn_plugins.benchmark.run_folder import PICTURES

TITLE = 'Predictions'
HOW_TO_READ = (
    'Images spread evenly over the test, by the runs of seed {seed}: what is true, and of each preset its prediction '
    'and, darkened, where the score of that prediction comes from: the brighter, the more (the gradient times the '
    'activations of a map of the backbone, ODAM; of a detector for its best box, framed in white, of a segmentor for '
    'the largest class it predicts besides background). Each map goes from its own least to its own largest value, so '
    'it compares places, not images or presets.'
)


def predictions(comparison: Comparison) -> Iterator[Section]:
    """Show the pictures that the runs of the first seed have drawn, and say why any are missing."""
    drawn = [result for result in comparison.presets if result.drawn]
    if not drawn:
        return
    shown = [result for result in drawn if _files(result) and all(map(Path.is_file, _files(result)))]
    seed = drawn[0].drawn.seed
    notes = [HOW_TO_READ.format(seed=seed)] if shown else []
    reasons = [(result, reason) for result in drawn for reason in _reasons(result, result in shown)]
    for reason in dict.fromkeys(reason for _, reason in reasons):
        notes.append(f'{", ".join(result.preset for result, why in reasons if why == reason)}: {reason}.')
    grid = Grid(
        header=['truth', *(result.preset for result in shown)],
        rows=[_row(shown, number) for number in range(max((len(r.drawn.images) for r in shown), default=0))],
        folders={result.preset: f'{result.drawn.folder}/{PICTURES}' for result in shown},
    )
    yield Section(TITLE, level=3, notes=notes, grid=grid)


def _files(result: PresetResult) -> list[Path]:
    pictures = (image.get(name, {}) for image in result.drawn.images for name in ('prediction', 'evidence'))
    return [Path(result.drawn.folder, picture['file']) for picture in pictures if 'file' in picture]


def _reasons(result: PresetResult, is_shown: bool) -> Iterator[str]:
    """Say, in words that follow the preset's name, what is missing of its pictures."""
    if result.drawn.why_not:
        yield f'no pictures ({result.drawn.why_not})'
    elif not is_shown:
        yield f'the pictures that its run has drawn are not in {result.drawn.folder} any more'
    for image in result.drawn.images:
        if 'no_evidence' in image:
            yield f'where scores come from is not shown for {image["name"]} ({image["no_evidence"]})'


def _row(shown: Iterable[PresetResult], number: int) -> list[GridCell]:
    """Make the row of an image: the truth as the first preset's run has drawn it, and a cell for each preset."""
    images = [(result, result.drawn.images[number]) for result in shown]
    first, image = images[0]
    name, truth = image['name'], image.get('truth')
    row = [GridCell([], f'{name}: the data set does not say what is true')]
    if truth:
        alt = f'{name}, what is true: {truth["words"]}'
        row = [GridCell(list(_pictures(first, truth, alt)), f'{name}: {truth["words"]}')]
    for result, image in images:
        prediction, evidence = image['prediction'], image.get('evidence', {})
        pictures = [
            *_pictures(result, prediction, f'{name}, {result.preset} predicts: {prediction["words"]}'),
            *_pictures(
                result, evidence, f'{name}, {result.preset}, where it comes from: {evidence.get("words")}'
            ),
        ]
        row.append(GridCell(pictures, prediction['words']))
    return row


def _pictures(result: PresetResult, drawn: dict, alt: str) -> Iterator[Picture]:
    """Read a picture, if there is one, into a data URI, so that the page stays one file."""
    path = Path(result.drawn.folder, drawn.get('file', ''))
    if path.is_file():
        source = f'data:image/jpeg;base64,{b64encode(path.read_bytes()).decode()}'
        yield Picture(source, alt, drawn['width'], drawn['height'])

"""Makes the section of pictures: what each preset predicts for the same images, and where its scores come from."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from attn_plugins.benchmark.report.compare import Comparison, Drawn, PresetResult
from attn_plugins.benchmark.report.section import Grid, GridCell, Picture, Section, Swatch
from attn_plugins.benchmark.run_folder import PICTURES

TITLE = 'Predictions'
SHOWN = '{images} spread evenly over the test split; models of seed {seed}.'
MAPS = 'Bright places of a map add to the score of {target} (ODAM). Compare places, not brightness.'
# What a map explains, by the library of the model; records of older versions do not say which it was.
TARGETS = {
    'mmpretrain': 'the predicted class',
    'mmdet': 'the box in white: that of the largest true object, or the best box where a model misses it',
    'mmseg': 'the largest true class besides background, or the largest predicted one where a model misses it',
}
ANY_TARGET = 'what stands below it'


def predictions(comparison: Comparison) -> Iterator[Section]:
    """Show the pictures that the runs of the first seed have drawn, and say why any are missing."""
    drawn = [result for result in comparison.presets if result.drawn]
    if not drawn:
        return
    shown = [result for result in drawn if _files(result) and all(map(Path.is_file, _files(result)))]
    notes = [_how_to_read(shown[0].drawn)] if shown else []
    reasons = [(result, reason) for result in drawn for reason in _reasons(result, result in shown)]
    for reason in dict.fromkeys(reason for _, reason in reasons):
        notes.append(f'{", ".join(result.preset for result, why in reasons if why == reason)}: {reason}.')
    grid = Grid(
        header=['truth', *(result.preset for result in shown)],
        rows=[_row(shown, number) for number in range(max((len(r.drawn.images) for r in shown), default=0))],
        folders={result.preset: f'{result.drawn.folder}/{PICTURES}' for result in shown},
    )
    yield Section(TITLE, level=3, notes=notes, grid=grid)


def _how_to_read(drawn: Drawn) -> str:
    """Say in short which images these are, and what the maps show."""
    number = len(drawn.images)
    words = SHOWN.format(images=f'{number} image{"s" if number > 1 else ""}', seed=drawn.seed)
    target = TARGETS.get(drawn.images[0].get('library'), ANY_TARGET)
    has_map = any('evidence' in image for image in drawn.images)
    return f'{words} {MAPS.format(target=target)}' if has_map else words


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
    name, truth = Path(image['name']).stem, image.get('truth')
    row = [GridCell([], f'{name}: the data set does not say what is true')]
    if truth:
        pictures = _pictures(first, truth, f'{name}, what is true: {truth["words"]}')
        row = [GridCell(list(pictures), f'{name}: {_words(truth)}', _key(truth))]
    for result, image in images:
        prediction, evidence = image['prediction'], image.get('evidence', {})
        of_map = f'{name}, {result.preset}, where it comes from: {evidence.get("words")}'
        pictures = [
            *_pictures(result, prediction, f'{name}, {result.preset} predicts: {prediction["words"]}'),
            *_pictures(result, evidence, of_map),
        ]
        about_map = f'map: {evidence.get("explains", evidence["words"])}' if evidence else ''
        row.append(GridCell(pictures, _words(prediction), _key(prediction), about_map))
    return row


def _words(answer: dict) -> str:
    """Give the words of an answer that has no key, which would say the same."""
    return '' if answer.get('key') else answer['words']


def _key(answer: dict) -> list[Swatch]:
    return [
        Swatch('#' + bytes(each['colour']).hex(), f'{each["name"]} ({each["share"]:.0%})')
        for each in answer.get('key', ())
    ]


def _pictures(result: PresetResult, drawn: dict, alt: str) -> Iterator[Picture]:
    """Read a picture, if there is one, into a data URI, so that the page stays one file."""
    path = Path(result.drawn.folder, drawn.get('file', ''))
    if path.is_file():
        source = f'data:image/jpeg;base64,{b64encode(path.read_bytes()).decode()}'
        yield Picture(source, alt, drawn['width'], drawn['height'])

"""Texts of a grid of pictures: none is cut at an edge, and none lies over another."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from attn_plugins.visualization import cam_figure, figure, fit_texts

NAMES = (
    'none',
    'coordinate_attention_after_depthwise_r32',
    'a-long-name-of-a-variant-of-a-users-own',
    'ca',
    'se',
)
LAYER = 'backbone.layer3.1.conv.1.attn_coordinate'


def extents(drawn: Figure, path, metadata, bbox_inches=None) -> list[tuple[str, np.ndarray]]:
    """Each text that is seen, with its distances from the edges of the picture that would be saved."""
    drawn.draw_without_rendering()
    saved = (bbox_inches or drawn.bbox_inches).extents * drawn.dpi
    texts = [text for text in drawn.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent().extents) for text in texts]
    for text, (left, low, right, top) in boxes:
        assert left >= saved[0] - 0.5 and low >= saved[1] - 0.5, text
        assert right <= saved[2] + 0.5 and top <= saved[3] + 0.5, text
    return boxes


@pytest.mark.parametrize(
    ('columns', 'rows', 'shape'),
    [(1, 1, (48, 48)), (2, 3, (48, 48)), (4, 5, (48, 48)), (4, 2, (48, 96)), (2, 1, (64, 40))],
)
def test_every_text_is_whole_and_none_lies_over_another(columns, rows, shape, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Figure, 'savefig', lambda *args, **options: saved.extend(extents(*args, **options)))
    pixels = np.full((*shape, 3), 128, np.uint8)
    picture = SimpleNamespace(name='a_long_name_of_an_image_000000000001.jpg', pixels=pixels)
    target = SimpleNamespace(text='a class with a long name (0.98)', box=None)
    cam = SimpleNamespace(heat=np.eye(*shape), layer=LAYER, size=(12, 12), is_flat=True)
    subjects = [
        SimpleNamespace(name=name, weights='epoch_1.pth', library='mmpretrain')
        for name in NAMES[1 : columns + 1]
    ]
    cells = [(target, cam)] * columns
    cam_figure.draw_cams(subjects, [cam_figure.Row(picture, cells)] * rows, 'gradcam', 10, tmp_path / 'a.png')
    assert sum(LAYER[:8] in text for text, _ in saved) == columns * rows
    for (text, one), (other, two) in combinations(saved, 2):
        shared = np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2])
        assert shared.min() <= 1, (text, other)


def test_a_formula_stays_whole_and_names_end_where_words_do():
    assert fit_texts._broken(r'$\Sigma_c\,|A_c|^{2}$', 4) == [r'$\Sigma_c\,|A_c|^{2}$']
    assert fit_texts._broken('backbone.layer3.attn_ca, 12 × 12', 16) == [
        'backbone.layer3.',
        'attn_ca, 12 × 12',
    ]
    assert fit_texts._broken('coordinate', 6) == ['coordi', 'nate']
    assert fit_texts._broken(r'a\$\$b_c', 3) == [r'a\$\$b_', 'c']


def test_what_fits_is_left_as_it_is(tmp_path):
    with figure.grid(1, 2, tmp_path / 'a.png', 'A caption.') as (drawn, axes):
        axes[0, 0].set_title('none')
        axes[0, 1].set_xlabel('two\nlines')
        height = drawn.get_figheight()
    assert drawn.get_figheight() == height
    assert (axes[0, 0].get_title(), axes[0, 1].get_xlabel()) == ('none', 'two\nlines')

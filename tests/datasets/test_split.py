"""Data sets in two parts, by the images' names: the same ones wherever they lie and whatever is filtered."""

import json

import pytest
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from attn_plugins.errors import UserError


def names(count: int, **changes):
    return [dict(img_path=f'images/{i:04}.jpg', **changes) for i in range(count)]


def split(folder, data_list, held_out: bool, share=0.25, **options):
    path = folder / 'list.json'
    path.write_text(json.dumps(dict(metainfo=dict(classes=['a']), data_list=data_list)))
    dataset = dict(type=BaseDataset, ann_file=str(path), serialize_data=False, **options)
    return DATASETS.build(dict(type='attn_plugins.Split', dataset=dataset, share=share, held_out=held_out))


def images(dataset) -> list[str]:
    return [dataset.get_data_info(i)['img_path'][-15:] for i in range(len(dataset))]


def test_each_image_is_in_one_part(tmp_path):
    held, others = (images(split(tmp_path, names(400), each)) for each in (True, False))
    assert sorted(held + others) == images(split(tmp_path, names(400), False, share=1e-9))
    assert 70 < len(held) < 130, 'three standard deviations of 100'
    assert held != sorted(held)[: len(held)] or held[-1] > '0300', 'not the first ones'


def test_the_parts_do_not_depend_on_the_place_or_on_what_is_filtered(tmp_path):
    held = images(split(tmp_path, names(400), True))
    assert (
        images(split(tmp_path, names(400), True, data_root='elsewhere', data_prefix=dict(img_path='')))
        == held
    )
    assert images(split(tmp_path, names(400)[::2], True)) == [
        name for name in held if int(name[7:11]) % 2 == 0
    ]
    more = images(split(tmp_path, names(400), True, share=0.5))
    assert set(held) < set(more), 'a larger share holds the smaller one'


def test_it_stays_the_data_sets_own_class(tmp_path):
    part = split(tmp_path, names(40), False)
    assert type(part) is BaseDataset and part.metainfo['classes'] == ['a']


@pytest.mark.parametrize('share', [0, 1, -0.2, 1.5])
def test_shares_that_are_none(tmp_path, share):
    with pytest.raises(UserError, match='cannot be held out: give a number between 0 and 1'):
        split(tmp_path, names(4), True, share=share)


def test_a_part_without_images_is_refused(tmp_path):
    with pytest.raises(UserError, match='of the 2 images of BaseDataset leave a part without any'):
        split(tmp_path, names(2), True, share=1e-6)


def test_other_data_sets_are_refused():
    with pytest.raises(UserError, match='list is no BaseDataset'):
        DATASETS.build(
            dict(type='attn_plugins.Split', dataset=dict(type=lambda: []), share=0.5, held_out=True)
        )

"""Whether data, heads and evaluators agree on the classes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from attn_plugins.datasets.check import check_data, inspect_data
from attn_plugins.errors import UserError
from tests.datasets.trees import write_image


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_coco(
    split: str, names: tuple[str, ...], first: int = 0, used: tuple[int, ...] = (0,), images: int = 4
) -> None:
    """A COCO JSON of `images` images, each with a box of the categories `used`; ids of images count from `first`."""
    listed = [dict(id=first + i, width=128, height=96, file_name=f'{i}.jpg') for i in range(images)]
    for item in listed:
        write_image(Path('mine', split, item['file_name']), 0)
    boxes = [
        dict(
            id=i * len(used) + j,
            image_id=first + i,
            category_id=10 + k,
            bbox=[9, 9, 40, 40],
            area=1600,
            iscrowd=0,
        )
        for i in range(images)
        for j, k in enumerate(used)
    ]
    categories = [dict(id=10 + i, name=name) for i, name in enumerate(names)]
    Path(f'mine/{split}.json').write_text(
        json.dumps(dict(images=listed, annotations=boxes, categories=categories))
    )


def coco(split: str, names: tuple[str, ...] | None = None, **more) -> dict:
    metainfo = dict(metainfo=dict(classes=names)) if names is not None else {}
    return dict(
        type='CocoDataset',
        data_root='mine',
        ann_file=f'{split}.json',
        data_prefix=dict(img=split),
        **metainfo,
        **more,
    )


def detector(train: dict, val: dict | None = None, head: int | None = None, **more) -> Config:
    model = dict(
        rpn_head=dict(type='RPNHead', num_classes=1), roi_head=dict(bbox_head=[dict(num_classes=head)] * 2)
    )
    return Config(
        dict(
            default_scope='mmdet',
            model=model if head is not None else {},
            train_dataloader=dict(dataset=train),
            val_dataloader=dict(dataset=val) if val else None,
            **more,
        )
    )


def said(cfg: Config) -> tuple[list[str], list[str]]:
    checks = inspect_data(cfg)
    return [fault for found in checks for fault in found.faults], [
        text for found in checks for text in found.warnings
    ]


def test_a_string_for_a_tuple():
    write_coco('train', ('ship',))
    (fault,), _ = said(detector(coco('train', 'ship')))
    assert (
        fault
        == "metainfo.classes is the string 'ship' and no list of names: write classes=('ship',), with a comma"
    )
    # A file of names is mmengine's own way.
    Path('names.txt').write_text('ship\n')
    assert said(detector(coco('train', 'names.txt'), head=1)) == ([], [])


def test_the_name_of_older_versions():
    write_coco('train', ('ship',))
    (fault,), _ = said(detector(dict(coco('train'), metainfo=dict(CLASSES=('ship',)))))
    assert fault == 'metainfo.CLASSES is read by nothing: it is called metainfo.classes now'


def test_an_epoch_without_a_batch():
    write_coco('train', ('ship',))
    cfg = detector(coco('train', ('ship',)), head=1)
    cfg.train_dataloader.update(batch_size=8, drop_last=True)
    (fault,), _ = said(cfg)
    assert fault.startswith('its 4 images make no batch of 8, and drop_last leaves out what is less')
    cfg.train_dataloader.batch_size = 4
    assert said(cfg) == ([], [])


def test_heads_of_a_detector():
    write_coco('train', ('a', 'b', 'c'), used=(0, 1, 2))
    train = coco('train', ('a', 'b', 'c'))
    assert said(detector(train, head=3)) == ([], [])
    (fault,), _ = said(detector(train, head=2))
    assert fault == (
        'it has 3 classes (a, b, c) and model.roi_head.bbox_head.0.num_classes is 2 (in a detector the number '
        'behind its last '
        "class is the background's): set model.roi_head.bbox_head.0.num_classes=3 "
        'model.roi_head.bbox_head.1.num_classes=3'
    )
    (fault,), _ = said(detector(train, head=80))
    assert fault.startswith(
        'it has 3 classes (a, b, c) and model.roi_head.bbox_head.0.num_classes is 80: set '
    )
    assert fault.endswith(', or allow_spare_classes=True if the other outputs are meant to stay without data')
    assert said(detector(train, head=80, allow_spare_classes=True)) == ([], [])


def test_heads_whose_classes_are_their_own():
    """Stuff, boundaries, words and tasks are not numbered as the data's classes."""
    write_coco('train', ('a',))
    cfg = detector(coco('train', ('a',)), head=1)
    cfg.model.roi_head.semantic_head = dict(type='FusedSemanticHead', num_classes=183)
    cfg.model.backbone = dict(num_classes=1000)
    assert said(cfg) == ([], [])
    cfg = detector(coco('train', ('a',)), head=256)
    cfg.model.language_model = dict(type='BertModel')
    assert said(cfg) == ([], [])


def test_names_that_match_nothing():
    """mmdet would train on images without boxes, or number the classes that are left anew."""
    write_coco('train', ('ship', 'boat'), used=(0, 1))
    (fault,), _ = said(detector(coco('train', ('Ship', 'boat')), head=2))
    assert (
        'mine/train.json has no category Ship of its 2 classes, so that the numbers of the others would be '
        in fault
    )
    assert 'did you mean ship' in fault
    (fault,), _ = said(detector(coco('train'), head=80))  # COCO's own 80 names
    assert 'has no category person, bicycle, car' in fault and 'it has ship, boat' not in fault


def test_train_and_validation_numbered_otherwise():
    """mmdet numbers by the order of the file, whatever the order of the config."""
    write_coco('train', ('ship', 'boat'), used=(0, 1))
    write_coco('val', ('boat', 'ship'), used=(0, 1))
    names = ('ship', 'boat')
    (fault,), _ = said(detector(coco('train', names), coco('val', names), head=2))
    assert fault.startswith(
        'its classes are numbered otherwise than those of train_dataloader.dataset: boat is class 0 here and '
        'class 1 there'
    )


def test_class_folders_numbered_otherwise():
    for split, names in (('train', 'abc'), ('val', 'ac')):
        for name in names:
            write_image(Path('mine', split, name, '0.png'), 0)
    folders = {
        f'{split}_dataloader': dict(dataset=dict(type='CustomDataset', data_root='mine', data_prefix=split))
        for split in ('train', 'val')
    }
    cfg = Config(dict(default_scope='mmpretrain', **folders))
    (fault,), _ = said(cfg)
    assert 'c is class 1 here and class 2 there: give both the same classes' in fault
    assert fault.endswith('(an empty folder stands for a class without images)')
    Path('mine/val/b').mkdir()
    assert said(cfg) == ([], ['no image has anything of 1 of its 3 classes: b'])


def test_heads_of_a_classifier():
    for name in 'abc':
        write_image(Path('mine/train', name, '0.png'), 0)
    dataset = dict(type='CustomDataset', data_root='mine', data_prefix='train')
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            train_dataloader=dict(dataset=dataset),
            model=dict(head=dict(type='LinearClsHead', num_classes=2)),
        )
    )
    (fault,), _ = said(cfg)
    assert fault == 'it has 3 classes (a, b, c) and model.head.num_classes is 2: set model.head.num_classes=3'
    cfg.model.head.num_classes = 1000  # which costs weights alone
    assert said(cfg) == (
        [],
        [
            'it has 3 classes (a, b, c) and model.head.num_classes is 1000: set model.head.num_classes=3 if the other '
            'outputs are not meant'
        ],
    )
    cfg.model.head.num_classes = 3
    cfg.val_dataloader, cfg.val_evaluator = cfg.train_dataloader, dict(type='Accuracy', topk=(1, 5))
    (fault,), _ = said(cfg)
    assert fault == 'val_evaluator.topk asks for the best 5 of 3 classes: set val_evaluator.topk=1'
    cfg.val_evaluator = None
    cfg.data_preprocessor = dict(num_classes=10)
    assert said(cfg) == ([], [])
    cfg.model.train_cfg = dict(augments=dict(type='Mixup', alpha=0.2))
    (fault,), _ = said(cfg)
    assert fault.startswith(
        'data_preprocessor.num_classes is 10 and model.head.num_classes 3, so that the labels of mixed'
    )
    for part, key in ((cfg.model, 'train_cfg'), (cfg, 'data_preprocessor'), (cfg, 'val_dataloader')):
        part.pop(key)
    Path('mine/train.txt').write_text('a/0.png 0\nb/0.png 4\n')  # of a list without names the labels count
    dataset.update(ann_file='train.txt')
    cfg = Config(dict(cfg, train_dataloader=dict(dataset=dataset), model=dict(head=dict(num_classes=4))))
    (fault,), _ = said(cfg)
    assert fault == 'its labels go up to 4 and model.head.num_classes is 4: set model.head.num_classes=5'


@pytest.mark.parametrize('heads', [dict(num_classes=3), [dict(num_classes=2), dict(num_classes=3)]])
def test_heads_of_a_segmentor(heads):
    write_image(Path('mine/images/0.jpg'), 0)
    Path('mine/masks').mkdir()
    cv2.imwrite('mine/masks/0.png', np.eye(96, 128, dtype=np.uint8))
    dataset = dict(
        type='BaseSegDataset',
        data_root='mine',
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        metainfo=dict(classes=('ground', 'roof')),
    )
    cfg = Config(
        dict(
            default_scope='mmseg',
            train_dataloader=dict(dataset=dataset),
            model=dict(
                decode_head=heads, auxiliary_head=dict(type='STDCHead', num_classes=2, out_channels=1)
            ),
        )
    )
    (fault,), _ = said(cfg)
    assert '.num_classes is 3: set model.decode_head' in fault and 'allow_spare_classes=True' in fault
    cfg.model.decode_head = dict(num_classes=2, out_channels=1)
    assert said(cfg) == ([], [])


def test_nothing_of_any_class():
    """An XML that names other classes than VOC's is read as an image without objects."""
    write_image(Path('mine/JPEGImages/1.jpg'), 0)
    Path('mine/Annotations').mkdir()
    box = '<bndbox><xmin>5</xmin><ymin>1</ymin><xmax>29</xmax><ymax>20</ymax></bndbox>'
    size = '<size><width>128</width><height>96</height></size>'
    Path('mine/Annotations/1.xml').write_text(
        f'<annotation>{size}<object><name>ship</name>{box}</object></annotation>'
    )
    Path('mine/train.txt').write_text('1\n')
    voc = dict(type='VOCDataset', data_root='mine', ann_file='train.txt', data_prefix=dict(sub_data_root=''))
    (fault,), _ = said(detector(voc))
    assert fault.startswith(
        'none of its 1 images has anything of its classes aeroplane, bicycle, bird, boat, '
    )
    (fault,), _ = said(detector(dict(voc, filter_cfg=dict(filter_empty_gt=True))))
    assert fault.startswith(
        'no image is left by its filter_cfg: none has what counts of the classes aeroplane'
    )
    assert said(detector(dict(voc, metainfo=dict(classes=('ship',))), head=1)) == ([], [])


def evaluated(ann_file: str | list, names=('a',), **more) -> tuple[list[str], list[str]]:
    evaluators = [dict(type='CocoMetric', ann_file=file) for file in np.atleast_1d(ann_file).tolist()]
    evaluator = evaluators if isinstance(ann_file, list) else evaluators[0]
    cfg = detector(coco('train', names), coco('val', names, **more), head=len(names), val_evaluator=evaluator)
    return said(cfg)


def test_an_evaluator_of_another_file():
    write_coco('train', ('a',))
    write_coco('val', ('a',), first=100)
    assert evaluated('mine/val.json') == ([], [])
    (fault,), _ = evaluated('mine/lost.json')
    assert (
        fault
        == 'val_evaluator.ann_file mine/lost.json is missing: set it to the annotation file of the data set'
    )
    write_coco('old', ('a',), first=102)
    (fault,), _ = evaluated('mine/old.json')
    assert fault == (
        'val_evaluator.ann_file mine/old.json lacks 2 of the 4 images that it is to score (first: id 100): set '
        'val_evaluator.ann_file=mine/val.json'
    )
    write_coco('more', ('a',), first=100, images=6)
    (fault,), _ = evaluated(['mine/val.json', 'mine/more.json'])
    assert fault.startswith(
        'val_evaluator.1.ann_file mine/more.json has 2 images that are not in the data set, and '
    )
    # A look at a few images: their score is lower, and it is said.
    faults, (warning,) = evaluated('mine/val.json', indices=2)
    assert not faults and warning.startswith(
        'val_evaluator.ann_file mine/val.json has 2 images that are not in the'
    )
    # The same images in a copy of the file are right; with other numbers of the categories they are not.
    Path('mine/copy.json').write_text(Path('mine/val.json').read_text())
    assert evaluated('mine/copy.json') == ([], [])
    write_coco('copy', ('b', 'a'), first=100)
    (fault,), _ = evaluated('mine/copy.json')
    assert (
        'val_evaluator.ann_file mine/copy.json numbers its categories otherwise than mine/val.json' in fault
    )


def test_the_command_says_all_and_training_the_first():
    write_coco('train', ('a',))
    write_coco('val', ('a',), first=100)
    cfg = detector(coco('train', ('a',)), coco('val', ('a',)), head=9)
    with pytest.raises(
        UserError, match=r'^train_dataloader.dataset: it has 1 classes \(a\) and .+ \(and 1 more\)$'
    ):
        check_data(cfg)


def test_parts_without_boxes_are_negatives():
    """Unlabelled images beside labelled ones, as mmdet's semi-supervised configs and hard negatives have them."""
    write_coco('train', ('a',))
    write_coco('unlabelled', ('a',), used=())
    parts = [coco(split, ('a',), filter_cfg=dict(filter_empty_gt=False)) for split in ('train', 'unlabelled')]
    assert said(detector(dict(type='ConcatDataset', datasets=parts), head=1)) == ([], [])
    assert said(detector(parts[1], head=1)) == ([], [])
    (fault,), _ = said(detector(coco('unlabelled', ('a',)), head=1))
    assert fault.startswith('none of its 4 images has anything of its classes a')


def masks(values: dict[str, int | np.ndarray], **more) -> dict:
    """A data set of mmseg with a mask for each split and number."""
    for name, value in values.items():
        write_image(Path('mine/images', f'{name}.jpg'), 0)
        Path('mine/masks', name).parent.mkdir(parents=True, exist_ok=True)
        mask = np.full((96, 128), value, np.uint8) if isinstance(value, int) else value
        cv2.imwrite(f'mine/masks/{name}.png', mask)
    folder = next(iter(values)).rpartition('/')[0]
    return dict(
        dict(
            type='BaseSegDataset',
            data_root='mine',
            data_prefix=dict(img_path=f'images/{folder}', seg_map_path=f'masks/{folder}'),
            metainfo=dict(classes=('ground', 'roof')),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')],
        ),
        **more,
    )


def segmentor(train: dict, val: dict | None = None, **more) -> Config:
    head = dict(num_classes=2, **more)
    loaders = dict(train_dataloader=dict(dataset=train), val_dataloader=dict(dataset=val) if val else None)
    return Config(dict(default_scope='mmseg', model=dict(decode_head=head), **loaders))


HALF = np.eye(96, 128, dtype=np.uint8)


def test_masks_of_mmseg():
    train = masks({'train/1': np.where(HALF, 254, 0).astype(np.uint8)})
    (fault,), _ = said(segmentor(train))
    assert fault.endswith(
        'has the value 254, which is neither below 2 nor 255, the ignore_index of its dataset or head'
    )
    assert said(segmentor(train, ignore_index=254)) == ([], [])
    faults, (warning,) = said(segmentor(masks({'ignored/1': 255, 'ignored/2': 255})))
    assert (
        not faults and warning == '2 masks were looked at, and none has a pixel of any class: all are ignored'
    )
    shifted = masks({'val/1': HALF + 1}, reduce_zero_label=True)
    (fault,), _ = said(segmentor(masks({'plain/1': HALF}), shifted))
    assert fault.startswith('reduce_zero_label is True here and False in train_dataloader.dataset')
    (fault,), _ = said(segmentor(masks({'plain/1': HALF}), loss_decode=dict(class_weight=[1.0] * 11)))
    assert fault.startswith(
        'model.decode_head.loss_decode.class_weight has 11 numbers and model.decode_head.num_classes is 2'
    )
    assert said(segmentor(masks({'plain/1': HALF}), loss_decode=dict(class_weight=None))) == ([], [])


def test_one_class_and_its_background():
    """mmseg's binary loss takes masks of 0 and 1 for one class with one channel."""
    one = masks({'one/1': HALF}, metainfo=dict(classes=('roof',)))
    cfg = segmentor(one)
    cfg.model.decode_head = dict(num_classes=1, out_channels=1)
    assert said(cfg) == ([], [])


def test_stuff_beside_boxes_is_numbered_by_itself():
    """HTC and SCNet read COCO's stuff maps, whose values go to 182, with boxes of 80 classes."""
    write_coco('train', ('a',))
    Path('mine/stuff').mkdir()
    for i in range(4):
        cv2.imwrite(f'mine/stuff/{i}.png', np.full((96, 128), 150, np.uint8))
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_seg=True)]
    train = dict(coco('train', ('a',)), data_prefix=dict(img='train', seg='stuff'), pipeline=load)
    cfg = detector(train, head=1)
    cfg.model.roi_head.semantic_head = dict(type='SCNetSemanticHead', num_classes=183)
    assert said(cfg) == ([], [])


def test_a_tracker_is_tested_on_more_classes_than_its_detector_has():
    write_coco('test', ('a', 'b', 'c'), used=(0, 1, 2))
    cfg = detector(coco('test', ('a', 'b', 'c')))
    cfg.model = dict(detector=dict(bbox_head=dict(num_classes=1)), tracker=dict(type='ByteTracker'))
    cfg = Config(dict(default_scope='mmdet', model=cfg.model, test_dataloader=cfg.train_dataloader))
    assert said(cfg) == ([], [])


@DATASETS.register_module(name='LabelsOfManyKinds', force=True)
class LabelsOfManyKinds(BaseDataset):
    """A user's own, whose labels are what it is given."""

    def __init__(self, labels, **kwargs):
        self.labels = labels
        super().__init__(**kwargs)

    def load_data_list(self):
        return [dict(img=np.zeros((4, 4, 3)), gt_label=label) for label in self.labels]


@pytest.mark.parametrize(
    'labels',
    [['cat', 'dog'], [0.5, -2.5], [-1, 0], [None, None], [{'a': 0}, {'a': 1}], [[0, 9], [9, 8]]],
    ids=str,
)
def test_labels_that_are_no_numbers_of_classes_or_of_a_retrieval(labels):
    """Words that a transform maps, regression, unlabelled images, several tasks; the queries of a retrieval name
    images.
    """
    loader = dict(dataset=dict(type='LabelsOfManyKinds', labels=labels))
    split = 'val_dataloader' if labels[-1] == [9, 8] else 'train_dataloader'
    evaluator = [dict(type='RetrievalRecall', topk=5)]
    cfg = {split: loader, 'val_evaluator': evaluator, 'model': dict(head=dict(num_classes=3))}
    assert said(Config(dict(default_scope='mmpretrain', **cfg))) == ([], [])


def test_folders_that_are_no_classes():
    for name in ('a', 'b', '.ipynb_checkpoints'):
        write_image(Path('mine/train', name, '0.png'), 0)
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            train_dataloader=dict(dataset=dict(type='CustomDataset', data_root='mine', data_prefix='train')),
        )
    )
    assert said(cfg)[0] == ['the folder mine/train/.ipynb_checkpoints is taken for a class: delete it']
    write_image(Path('mine/val/a/0.png'), 0)
    cfg.train_dataloader.dataset.data_prefix = ''
    assert any('data_prefix is the folder above those of the classes' in text for text in said(cfg)[1])


def test_names_that_are_given_twice():
    write_coco('train', ('a', 'b'))
    (fault,), _ = said(detector(coco('train', ('a', 'a'))))
    assert fault == 'metainfo.classes names a twice: every class has one name of its own'


def test_corners_are_said_at_the_start_too():
    write_coco('train', ('a',))
    path = Path('mine/train.json')
    content = json.loads(path.read_text())
    for item in content['annotations']:
        item['bbox'] = [60, 50, 120, 90]
    path.write_text(json.dumps(content))
    faults, warnings = said(detector(coco('train', ('a',)), head=1))
    assert not faults and len(warnings) == 2
    assert warnings[0].startswith(
        'mine/train.json: its boxes look like corners (x1, y1, x2, y2), as the first, (60, '
    )
    assert warnings[1].startswith(
        '4 of 4 boxes leave their images: are corners given where width and height are read?'
    )

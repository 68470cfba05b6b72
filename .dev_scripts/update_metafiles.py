"""Writes what is counted of every config into its metafile and its header; with --check it only says whether they are
up to date.

By hand in configs/*/metafile.yml: Collections, and of a model `Results` (reproduced, null until it is) and
`Published`. The rest is made from the configs, a new one gets its entry."""

import argparse
import logging
import re
import sys
from itertools import groupby
from pathlib import Path

import yaml
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from attn_plugins.cost.cost import count_cost  # noqa: E402
from attn_plugins.datasets.built import innermost  # noqa: E402
from attn_plugins.datasets.heads import built_model  # noqa: E402
from attn_plugins.datasets.sources import type_name  # noqa: E402
from attn_plugins.training.config import load_config  # noqa: E402

# Type of the training data -> they, the data of the test, task, metric.
DATA = {
    'ImageNet': ('ImageNet-1k train', 'ImageNet-1k val', 'Image Classification', 'Top 1 Accuracy'),
    'CIFAR10': ('CIFAR-10 train', 'CIFAR-10 test', 'Image Classification', 'Top 1 Accuracy'),
    'CIFAR100': ('CIFAR-100 train', 'CIFAR-100 test', 'Image Classification', 'Top 1 Accuracy'),
    'CocoDataset': ('COCO 2017 train', 'COCO 2017 val', 'Object Detection', 'box AP'),
    'VOCDataset': ('VOC 2007 + 2012 trainval', 'VOC 2007 test', 'Object Detection', 'mAP'),
    'PascalVOCDataset': ('VOC 2012 train + SBD', 'VOC 2012 val', 'Semantic Segmentation', 'mIoU'),
    'CityscapesDataset': ('Cityscapes train', 'Cityscapes val', 'Semantic Segmentation', 'mIoU'),
}
DIGITS = {  # DigitScenes are read by data set classes of other data
    'mmpretrain': ('Image Classification', 'Top 1 Accuracy'),
    'mmdet': ('Object Detection', 'box AP'),
    'mmseg': ('Semantic Segmentation', 'mIoU'),
}


def data_of(cfg: Config) -> tuple[str, str, str, str]:
    """What a config is trained and tested on, the task and its metric."""
    dataset = next(iter(innermost(cfg.train_dataloader.dataset)))
    if 'digit_scenes' in dataset['data_root']:
        return 'DigitScenes', 'DigitScenes', *DIGITS[cfg.default_scope]
    return DATA[type_name(dataset)]


def entry(folder: str, collection: str, leaf: Path, known: dict) -> dict:
    """The entry of a config in its metafile."""
    cfg = load_config(leaf, attention='none' if '$ATTENTION' in leaf.read_text() else None)
    trained, tested, task, metric = data_of(cfg)
    # A segmentor tests on images of any size: it is counted on the crop that it trains on.
    cost = count_cost(cfg, (built_model(cfg).get('data_preprocessor') or {}).get('size'))
    length = cfg.train_cfg.get('max_epochs')
    metadata = {'Training Data': trained}
    metadata |= {'Iterations': cfg.train_cfg.max_iters} if length is None else {'Epochs': length}
    if 'auto_scale_lr' in cfg:
        metadata['Batch Size'] = cfg.auto_scale_lr.base_batch_size
    metadata['Parameters'] = cost['parameters']
    metadata['M-Adds'] = cost['madds']
    metadata['Input Size'] = 'x'.join(map(str, cost['input_shape'][2:]))
    results = [{'Task': task, 'Dataset': tested, 'Metrics': {metric: None}}]
    return {
        'Name': leaf.stem,
        'In Collection': collection,
        'Config': f'configs/{folder}/{leaf.name}',
        'Metadata': metadata,
        'Results': known.get('Results', results),
        'Published': known.get('Published'),
    }


def texts(chosen: list[str]) -> dict[Path, str]:
    """Every metafile, every header and the index, as they should be; or those of some folders of configs."""
    made = {}
    leaves = sorted(
        path
        for path in (ROOT / 'configs').glob('*/*.py')
        if '_base_' not in path.parts and (not chosen or path.parent.name in chosen)
    )
    metafiles = []
    for folder, group in groupby(leaves, key=lambda path: path.parent):
        metafiles.append(folder / 'metafile.yml')
        content = yaml.safe_load(metafiles[-1].read_text())
        known = {model['Name']: model for model in content.get('Models') or []}
        collection = content['Collections'][0]['Name']
        content['Models'] = []
        for leaf in group:
            content['Models'].append(entry(folder.name, collection, leaf, known.get(leaf.stem, {})))
            counted = f'{content["Models"][-1]["Metadata"]["Parameters"]:,}'
            made[leaf] = re.sub(r'(?<=Counted: )[\d,@]+(?=\.)', counted, leaf.read_text())
        made[metafiles[-1]] = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    if chosen:
        return made
    index = (
        '# Every config, with the published and the reproduced result. A test holds it to the files '
        'and the counts.\n'
    )
    imports = {'Import': [str(path.relative_to(ROOT)) for path in metafiles]}
    made[ROOT / 'model-index.yml'] = index + yaml.safe_dump(imports)
    return made


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 if a file is out of date')
    parser.add_argument('folders', nargs='*', help='of configs/; by default all (minutes)')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    stale = {path: text for path, text in texts(args.folders).items() if path.read_text() != text}
    for path, text in stale.items():
        if not args.check:
            path.write_text(text)
        print(f'{"out of date" if args.check else "written"}: {path.relative_to(ROOT)}')
    return int(args.check and bool(stale))


if __name__ == '__main__':
    sys.exit(main())

"""Checks the data of a config: builds every dataset by its own class, looks for its files, and reads a few of them.

What a class accepts is accepted. Data that cannot be loaded, or cannot be what was meant, are reported in one sentence.
"""

import os
from collections import Counter
from dataclasses import replace
from os.path import commonpath
from pathlib import Path

from mmengine.config import Config
from torch.utils.data import Dataset

from attn_plugins.datasets.advice import advice_on, holds
from attn_plugins.datasets.built import (
    as_a_runner,
    build_dataset,
    innermost_built,
    library_of_dataset,
    named_parts,
)
from attn_plugins.datasets.classes import compare_classes, misread_classes
from attn_plugins.datasets.read import annotation_faults, faults_of_sample, try_sample
from attn_plugins.datasets.sources import type_name
from attn_plugins.datasets.survey import DatasetCheck, absent_files, survey
from attn_plugins.datasets.unloadable import nothing_listed, why_not_built
from attn_plugins.errors import UserError

AT_ONCE = 32 << 20  # size in bytes up to which an annotation file is checked before every run
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def check_data(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> list[str]:
    """Refuses a config whose data are incomplete or do not fit its model, before training starts.

    Args:
        cfg (Config): A whole config.
        loaders (tuple[str, ...]): The dataloaders that will be used.

    Returns:
        list[str]: A sentence for everything that is odd but may be meant; for the log, which a run does not have yet.

    Raises:
        UserError: Names the key, the first fault and how to put it right, and the command that lists the rest.
    """
    checks = inspect_data(cfg, loaders)
    faults = dict.fromkeys(f'{check.key}: {fault}' for check in checks for fault in check.faults)
    if faults:
        first, *rest = faults
        more = ''
        if rest:
            listing = f': see `python tools/check_data.py {cfg.filename}`' if cfg.filename else ''
            more = f' (and {len(rest)} more{listing})'
        raise UserError(first + more)
    return list(dict.fromkeys(f'{check.key}: {warning}' for check in checks for warning in check.warnings))


def inspect_data(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> list[DatasetCheck]:
    """Checks every dataset of a config's dataloaders, also those within RepeatDataset, ConcatDataset and others."""
    checks, seen = [], {}
    for loader in loaders:
        config = (cfg.get(loader) or {}).get('dataset')
        if not config:
            continue
        split, key = loader.removesuffix('_dataloader'), f'{loader}.dataset'
        if (text := repr(config)) not in seen:
            seen[text] = inspect_dataset(split, config, cfg.get('default_scope'), key, _ignored(cfg))
        first = seen[text]
        # Reuses the result for equal configs, under the names of this split.
        for (name, part), check in zip(named_parts(config, key), first, strict=False):
            lists = dict(faults=[*check.faults], warnings=[*check.warnings])
            checks.append(replace(check, split=split, key=name, config=part, **lists))
    if not any(check.faults for check in checks):
        compare_classes(cfg, checks)
    for check in checks:
        if check.whole is not None and (fault := _no_batch(cfg[f'{check.split}_dataloader'], check.whole)):
            check.faults.append(fault)
        if check.key.endswith('.dataset.foreign') and (fault := _not_drawn(cfg[f'{check.split}_dataloader'])):
            check.faults.append(fault)
    return checks


def _ignored(part: object) -> frozenset[int]:
    """Collects every `ignore_index` of a config: of heads, losses and metrics."""
    if isinstance(part, (list, tuple)):
        return frozenset().union(*map(_ignored, part))
    if not isinstance(part, (dict, Config)):
        return frozenset()
    own = part.get('ignore_index')
    return frozenset({own} if isinstance(own, int) else ()).union(
        *(_ignored(child) for child in part.values())
    )


def _no_batch(dataloader: dict, dataset: Dataset) -> str | None:
    """Returns the sentence for a dataloader that drops its only batch, so that its epochs are empty."""
    batch, drops = (
        dataloader.get('batch_size', 1),
        dataloader.get('drop_last') and not dataloader.get('batch_sampler'),
    )
    if drops and 0 < len(dataset) < batch:
        return (
            f'its {len(dataset)} images make no batch of {batch}, and drop_last leaves out what is '
            'less: set batch_size or drop_last'
        )
    return None


def _not_drawn(dataloader: dict) -> str | None:
    """Returns the sentence for foreign images that no batch would contain."""
    kinds = [type_name(part) if (part := dataloader.get(key)) else '' for key in ('dataset', 'batch_sampler')]
    if kinds[0] == 'MixedDataset' and kinds[1] != 'MixedBatchSampler':
        return (
            'no batch would have any of the foreign images of this MixedDataset: add '
            "batch_sampler=dict(type='attn_plugins.MixedBatchSampler', foreign=8) to the dataloader"
        )
    return None


def inspect_dataset(
    split: str,
    config: dict,
    scope: str | None = None,
    key: str = 'dataset',
    ignored: frozenset[int] = frozenset(),
) -> list[DatasetCheck]:
    """Checks the data of a dataset's config and of those in it; `scope` is the library whose classes its types name."""
    parts = list(named_parts(config, key))
    scope = library_of_dataset(parts[0][1], scope)
    checks = [DatasetCheck(split, name, part, scope, ignored=ignored) for name, part in parts]
    for check in checks:
        if fault := misread_classes(check.config):
            check.faults.append(fault)
    if any(check.faults for check in checks):
        return checks
    with as_a_runner(scope):
        whole = _built(checks, config)
        if whole is None:
            return checks
        datasets = list(innermost_built(whole))
        if len(datasets) != len(checks):  # a class that keeps its parts elsewhere
            checks[0].dataset, checks[0].content = whole, f'{len(whole)} samples of {type_name(config)}'
            return checks[:1]
        for check, dataset in zip(checks, datasets, strict=True):
            check.whole = whole
            _look_at(check, dataset)
        if not any(check.faults for check in checks) and len(whole):
            for i in sorted({0, len(whole) // 2, len(whole) - 1}):
                if fault := try_sample(whole, i):
                    checks[0].faults.append(fault)
                    break
    return checks


def _built(checks: list[DatasetCheck], config: dict) -> Dataset | None:
    """Builds the dataset of a config; None if it, or a part of it, cannot be built, which is a fault of that part."""
    try:
        return build_dataset(config)
    except Exception as error:  # raised by its class, which may be the user's own
        whole = error
    for check in checks:
        try:
            if check.config is config:
                raise whole
            _look_at(check, build_dataset(check.config))
        except Exception as error:
            check.faults.append(why_not_built(check.config, error))
    if not any(check.faults for check in checks):
        checks[0].faults.append(why_not_built(config, whole))
    return None


def _look_at(check: DatasetCheck, dataset: Dataset) -> None:
    """Fills in what a dataset lists, and what is wrong with it."""
    check.dataset, check.survey = dataset, survey(dataset)
    check.content = _content(dataset, check)
    if not len(dataset):
        check.faults.append(nothing_listed(check.config, dataset))
        return
    for name, files in check.survey.files.items():
        absent = absent_files(files)
        if absent and _is_needed(dataset, absent[0][0]):
            first = absent[0][1]
            text = f'{len(absent)} of the {len(files)} files that it lists as {name} are missing (first: {first})'
            check.faults.append(f'{text}{holds(Path(first))}: {advice_on(check.config, Path(first))}')
    if check.faults:
        return
    if _is_read_at_once(dataset):
        wrong = annotation_faults(dataset)[0]
        more = f' (and {len(wrong) - 1} more: `check_data.py --read-files` names them)' if wrong[1:] else ''
        check.warnings += [wrong[0] + more] if wrong else []
    pixels, looked_at = Counter(), sorted({0, len(dataset) // 2, len(dataset) - 1})
    for i in looked_at:
        found = faults_of_sample(dataset, i, check.ignored, pixels)
        check.faults += found[:1]
        if found:
            return
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if classes and pixels and not any(value < len(classes) for value in pixels):
        check.warnings.append(
            f'{len(looked_at)} masks were looked at, and none has a pixel of any class: all are ignored'
        )


def _is_read_at_once(dataset: Dataset) -> bool:
    """Tells whether the annotation file is small enough to be checked as a whole in less than a second.

    COCO's validation file is.
    """
    ann_file = str(getattr(dataset, 'ann_file', ''))
    return os.path.isfile(ann_file) and os.path.getsize(ann_file) <= AT_ONCE


def _is_needed(dataset: Dataset, index: int) -> bool:
    """Tells whether a missing file is needed.

    Samples can be drawn without the masks of test images, and with images from another store.
    """
    return not getattr(getattr(dataset, 'pipeline', None), 'transforms', None) or bool(
        try_sample(dataset, index)
    )


def _content(dataset: Dataset, check: DatasetCheck) -> str:
    images = check.survey.files.get('img_path') or []
    ann_file = getattr(dataset, 'ann_file', None)
    if ann_file and Path(str(ann_file)).is_file():
        return f'{len(dataset)} images of {ann_file}'
    folders = {str(Path(path).parent) for _, path in images}
    if len({os.path.isabs(folder) for folder in folders}) == 2:
        folders = {os.path.abspath(folder) for folder in folders}
    if len(folders) > 1:
        return f'{len(dataset)} images in {len(folders)} folders of {commonpath(folders)}'
    return (
        f'{len(dataset)} images in {next(iter(folders))}'
        if folders
        else f'{len(dataset)} images of {type_name(check.config)}'
    )

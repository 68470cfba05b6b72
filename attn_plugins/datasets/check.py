"""Whether data are there: which files are missing, where they should be, and how to get them.

Nothing is built for it: folders and annotation files are read as the dataset classes of the three libraries read them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mmengine.config import Config

from attn_plugins.datasets.layouts import find_files
from attn_plugins.datasets.misplaced import look_elsewhere
from attn_plugins.datasets.read import read_dataset
from attn_plugins.datasets.sources import how_to_get, type_name
from attn_plugins.errors import UserError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@dataclass
class DatasetCheck:
    """What the check says of one dataset.

    Attributes:
        split (str): 'train', 'val' or 'test' of a config's dataloaders, or the split's own name.
        content (str): What the dataset holds.
        faults (list[str]): What is missing; empty if it is complete.
        advice (str): How to put it right.
        count (Callable[[], int | None]): Counts its images; None where only reading all of them would tell.
        read (Callable[[], tuple[int, list[str]]]): Reads every file; how many samples were read, and what is wrong
            with them. It shows its progress.
    """

    split: str
    content: str
    faults: list[str]
    advice: str
    count: Callable[[], int | None]
    read: Callable[[], tuple[int, list[str]]]

    @property
    def sentences(self) -> list[str]:
        """A sentence for every fault."""
        return [f'{fault}: {self.advice}' for fault in self.faults]


def check_data(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> None:
    """Refuses a config whose data are not complete, before anything is trained in vain.

    Args:
        cfg (Config): A whole config.
        loaders (tuple[str, ...]): The dataloaders that will be used.

    Raises:
        UserError: Names what is missing first and how to get it, and the command that lists the rest; or foreign images
            that no batch would have.
    """
    for loader in loaders:
        check_foreign_are_drawn(cfg.get(loader) or {}, loader)
    checks = inspect_data(cfg, loaders)
    sentences = list(dict.fromkeys(sentence for check in checks for sentence in check.sentences))
    if not sentences:
        return
    more = ''
    if sentences[1:]:
        listing = f': see `python tools/check_data.py {cfg.filename}`' if cfg.filename else ''
        more = f' (and {len(sentences) - 1} more{listing})'
    raise UserError(sentences[0] + more)


def check_foreign_are_drawn(dataloader: dict, name: str) -> None:
    """Raises a UserError if a dataloader has a MixedDataset and nothing that draws its foreign images."""
    kinds = [type_name(part) if (part := dataloader.get(key)) else '' for key in ('dataset', 'batch_sampler')]
    if kinds[0] == 'MixedDataset' and kinds[1] != 'MixedBatchSampler':
        raise UserError(
            f'{name} has a MixedDataset, of whose foreign images no batch would have any: add '
            f"{name}.batch_sampler=dict(type='attn_plugins.MixedBatchSampler', foreign=8)"
        )


def inspect_data(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> list[DatasetCheck]:
    """Looks at every dataset of a config's dataloaders, those within RepeatDataset, ConcatDataset and others too."""
    return [
        inspect_dataset(loader.removesuffix('_dataloader'), dataset, cfg.get('default_scope'))
        for loader in loaders
        for dataset in innermost((cfg.get(loader) or {}).get('dataset'))
    ]


def inspect_dataset(split: str, dataset: dict, scope: str | None = None) -> DatasetCheck:
    """Looks at the data of one dataset's config; `scope` is the library whose classes its type names."""
    found = find_files(dataset)
    advice = found.advice or look_elsewhere(dataset, found.missing) or how_to_get(dataset)
    return DatasetCheck(
        split,
        found.content,
        found.faults,
        advice,
        count=found.count,
        read=lambda: read_dataset(dataset, found, scope),
    )


def innermost(dataset: dict | list | None) -> Iterator[dict]:
    """The datasets that read files, without what repeats, joins or mixes them."""
    if isinstance(dataset, (list, tuple)):
        for item in dataset:
            yield from innermost(item)
    elif dataset:
        inner = dataset.get('dataset') or dataset.get('datasets')
        if inner:
            yield from innermost(inner)
            yield from innermost(dataset.get('foreign'))
        else:
            yield dataset

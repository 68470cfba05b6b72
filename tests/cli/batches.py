"""A hook that writes down which images every training batch holds, in trainings of this process and of others."""

import json
import zlib
from pathlib import Path

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class RecordBatches(Hook):
    """Adds a line to `batches-RANK.json` of the working directory: sums of the own images, and of the foreign ones."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        """Of the images as they come from the pipeline."""
        sums = {False: [], True: []}
        for image, sample in zip(data_batch['inputs'], data_batch['data_samples'], strict=True):
            sums[sample.get('foreign', False)].append(zlib.crc32(image.numpy().tobytes()))
        with open(f'batches-{get_rank()}.json', 'a') as file:
            file.write(json.dumps([sums[False], sums[True]]) + '\n')


def recorded(folder: Path, rank: int = 0) -> list[tuple[list[int], list[int]]]:
    """The own and the foreign images of every batch so far."""
    return [tuple(json.loads(line)) for line in (folder / f'batches-{rank}.json').read_text().splitlines()]

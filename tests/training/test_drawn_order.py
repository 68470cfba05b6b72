"""A test goes through its images in a drawn order where a gate meets those before, and in the config's elsewhere."""

from itertools import count
from pathlib import Path

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader, SequentialSampler

from attn_plugins.layers.channel.parts.gate import build_gate
from attn_plugins.training.drawn_order import DrawnOrderHook


class Classes(torch.utils.data.Dataset):
    """Sorted by class, ten of each."""

    def __len__(self):
        return 100

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([float(index // 10)]), index=index)


class Model(BaseModel):
    """Keeps what each image is and what its gate says that it is."""

    def __init__(self, gate: str | dict):
        super().__init__()
        self.gate, self.seen = build_gate(gate, 1), []

    def forward(self, inputs, index, mode='predict'):
        x = torch.stack(list(inputs))
        given = self.gate(x)
        self.seen += zip(index, x[:, 0].tolist(), given[:, 0].tolist(), strict=True)
        return [dict(index=i) for i in index]


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [sample['index'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(images=len(set(results)), sum=sum(results))


NAMES = count()


def run(folder: Path, gate, sampler=DefaultSampler, phase: str = 'test', **options) -> tuple[list, str]:
    """What the model has seen, as (index, class, class of the gate), and the log's lines of it."""
    data = Classes()
    loader = DataLoader(data, 10, sampler=sampler(data, **options), collate_fn=collate)
    loops = {f'{phase}_dataloader': loader, f'{phase}_cfg': {}, f'{phase}_evaluator': Evaluator(Count())}
    runner = Runner(Model(gate), str(folder), experiment_name=f'order{next(NAMES)}', **loops)
    runner.register_hook(DrawnOrderHook())
    assert getattr(runner, phase)() == dict(images=100, sum=4950)
    (log,) = Path(runner.log_dir).glob('*.log')
    return runner.model.seen, '\n'.join(
        line for line in log.read_text().splitlines() if 'shuffled_images' in line
    )


def collate(samples):
    return {key: [sample[key] for sample in samples] for key in samples[0]}


SHUFFLED = dict(type='shuffled_images', gate='identity')


@pytest.mark.parametrize('phase', ['test', 'val'])
def test_the_order_is_drawn_for_a_gate_that_meets_other_images(tmp_path, phase):
    seen, log = run(tmp_path, SHUFFLED, phase=phase, shuffle=False)
    assert sorted(index for index, *_ in seen) == list(range(100)) != [index for index, *_ in seen]
    assert sum(own == given for _, own, given in seen) < 20, 'in the order of the classes 34'
    assert f'the images of {phase}_dataloader come in an order drawn with the seed 0' in log
    assert run(tmp_path, SHUFFLED, phase=phase, shuffle=False)[0] == seen


def test_other_models_and_orders_that_are_drawn_stay_as_they_are(tmp_path):
    for gate in ('identity', dict(type='mean_over_images', gate='identity')):
        seen, log = run(tmp_path, gate, shuffle=False)
        assert [index for index, *_ in seen] == list(range(100)) and not log
    seen, log = run(tmp_path, SHUFFLED, shuffle=True, seed=5)
    assert [index for index, *_ in seen] == list(DefaultSampler(Classes(), shuffle=True, seed=5)) and not log


def test_a_sampler_with_an_order_of_its_own_is_named(tmp_path):
    seen, log = run(tmp_path, SHUFFLED, sampler=SequentialSampler)
    assert [index for index, *_ in seen] == list(range(100))
    assert 'SequentialSampler goes through the images in its own order' in log
    assert "set test_dataloader.sampler=dict(type='DefaultSampler', shuffle=True)" in log

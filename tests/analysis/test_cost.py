"""Costs: counts against hand-computed numbers, measurements for what must hold of them."""

import pytest
import torch
from mmengine.config import Config
from torch import nn

from attn_plugins.analysis.cost import count_madds, count_parameters, measure_latency, peak_memory
from attn_plugins.analysis.subject import input_size, make_input


class Attend(nn.Module):
    def forward(self, x):
        q = x.flatten(2).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(q, q, q)


def test_parameters_that_are_shared_count_once_and_buffers_do_not():
    layer = nn.Linear(4, 4)
    assert count_parameters(nn.Sequential(layer, layer, nn.BatchNorm2d(4))) == 4 * 4 + 4 + 2 * 4


def test_madds_by_module():
    stem, body = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
    model = nn.Sequential(stem, nn.BatchNorm2d(8), nn.Sequential(body, nn.ReLU())).eval()
    counts = count_madds(model, torch.zeros(2, 3, 8, 8))
    assert counts == {
        '': 2 * 16 * (8 * 27 + 8 * 9),
        '0': 2 * 16 * 8 * 27,
        '2': 2 * 16 * 8 * 9,
        '2.0': 2 * 16 * 8 * 9,
    }


def test_attention_products_count():
    # Two products of (L, d) and (d, L) sizes: 2 * L * L * d.
    assert count_madds(Attend(), torch.randn(1, 16, 4, 4))[''] == 2 * 16 * 16 * 16


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_attention_products_of_a_fused_kernel_count(device):
    """With a head axis torch takes its fused kernel for the CPU, which holds no map to be seen."""

    class Heads(nn.Module):
        def forward(self, x):
            q = x.flatten(2).transpose(1, 2)[:, None].contiguous()
            return nn.functional.scaled_dot_product_attention(q, q, q)

    assert count_madds(Heads(), torch.zeros(1, 16, 4, 4, device=device))[''] == 2 * 16 * 16 * 16


def test_element_wise_work_does_not_count():
    assert count_madds(nn.Sequential(nn.Sigmoid(), nn.AvgPool2d(2)), torch.zeros(1, 3, 8, 8)) == {'': 0}


def test_latency_says_what_it_holds_for():
    calls = []
    model = nn.Conv2d(3, 4, 3)
    model.register_forward_hook(lambda *args: calls.append(1))
    latency = measure_latency(model, torch.zeros(2, 3, 16, 16), warmup=3, repeats=5)
    assert len(calls) == 8
    assert 0 < latency['p20_ms'] <= latency['median_ms'] <= latency['p80_ms']
    assert (
        latency.items()
        >= dict(repeats=5, batch=2, threads=torch.get_num_threads(), dtype='float32', device='cpu').items()
    )


def test_peak_memory_is_of_what_lives_at_the_same_time():
    class Model(nn.Module):
        def forward(self, x):
            a = x + 1  # one more
            b = a * 2  # two more
            del a
            b = b.relu_().view(-1)  # in place and a view: no more
            return torch.cat([b, b])  # two more, with b: three

    x = torch.zeros(1, 1, 16, 16)
    assert peak_memory(Model(), x) == (1 + 3) * 16 * 16 * 4
    chain = nn.Sequential(*(nn.Sigmoid() for _ in range(5)))
    assert peak_memory(chain, x) == 3 * 16 * 16 * 4  # the input, and in and out of one layer
    linear = nn.Linear(16, 16)
    assert peak_memory(linear, x) == (16 * 16 + 16 + 256 + 256) * 4


def test_peak_memory_of_weights_shared_by_layers():
    layer = nn.Linear(16, 16, bias=False)
    assert (
        peak_memory(nn.Sequential(layer, nn.Sequential(layer)), torch.zeros(1, 16)) == (256 + 16 + 2 * 16) * 4
    )


@pytest.mark.parametrize(
    ('scope', 'pipeline', 'size'),
    [
        (
            'mmpretrain',
            [dict(type='ResizeEdge', scale=256), dict(type='CenterCrop', crop_size=224)],
            (224, 224),
        ),
        (
            'mmdet',
            [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(320, 240), keep_ratio=False)],
            (240, 320),
        ),
        ('mmseg', [dict(type='Resize', scale=(2048, 1024), keep_ratio=True)], (1024, 2048)),
        ('mmdet', [dict(type='LoadImageFromFile')], (800, 1333)),
    ],
)
def test_input_size_is_that_of_the_test_images(scope, pipeline, size):
    cfg = Config(dict(default_scope=scope, test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    assert input_size(cfg) == size
    assert make_input(cfg, batch=2).shape == (2, 3, *size)
    assert make_input(cfg, shape=(1, 8, 9)).shape == (1, 1, 8, 9)


def test_input_size_is_what_the_preprocessor_pads_to_where_no_transform_fixes_it():
    cfg = Config(
        dict(
            default_scope='mmseg',
            model=dict(data_preprocessor=dict(size=(96, 128))),
            test_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile')])),
        )
    )
    assert input_size(cfg) == (96, 128)

"""Costs: counts against hand-computed numbers, measurements for what must hold of them."""

import pytest
import torch
from torch import nn

from attn_plugins.cost.cost import (
    count_madds,
    count_parameters,
    count_training_memory,
    measure_latency,
    peak_memory,
)
from attn_plugins.errors import UserError
from attn_plugins.ops.attention_in_parts import attend_in_parts


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


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_both_products_of_attention_with_positions_count(device):
    """Energies of pairs are added in place to those of columns and rows, where weights are made part by part."""
    n, heads, d, columns, rows = 2, 3, 4, 5, 6

    class Attention(nn.Module):
        def forward(self, x):
            q = x.flatten(2).transpose(1, 2).unflatten(2, (heads, d)).transpose(1, 2)
            places = columns * rows
            of_axes = (x.new_zeros(n, heads, places, length) for length in (columns, rows))
            return attend_in_parts(q, q, q, *of_axes)[0]

    counted = count_madds(Attention(), torch.zeros(n, heads * d, rows, columns, device=device))['']
    assert counted == 2 * n * heads * d * (columns * rows) ** 2


@pytest.mark.parametrize('name', ['DeformConv2dPack', 'ModulatedDeformConv2dPack'])
def test_deformable_convolutions_count(name):
    """mmcv's kernels end in products that torch's counter does not know."""
    ops = pytest.importorskip('mmcv.ops')
    layer = getattr(ops, name)(16, 8, 3, padding=1).eval()
    places, of_offsets = 6 * 5, layer.conv_offset.out_channels
    expected = {'': places * 9 * 16 * (8 + of_offsets), 'conv_offset': places * 9 * 16 * of_offsets}
    assert count_madds(layer, torch.randn(1, 16, 6, 5)) == expected


@pytest.mark.parametrize('training', [True, False])
def test_attention_that_torch_runs_as_one_operation_counts(training):
    """In evaluation torch's own module is one operation, which its counter does not know."""

    class Attention(nn.MultiheadAttention):
        def forward(self, x):
            return super().forward(x, x, x)[0]

    length, width = 10, 64
    model = Attention(width, 4, batch_first=True).train(training)
    expected = 4 * length * width**2 + 2 * length**2 * width  # four projections, two products
    assert count_madds(model, torch.randn(1, length, width))[''] == expected


@pytest.mark.parametrize('operation', ['relu', 'nonzero'])  # nonzero has no kernel for the meta device
def test_counting_leaves_the_model_as_it_is(operation):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x):
            return getattr(torch, operation)(self.norm(self.conv(x)))

    model = Model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert count_madds(model, torch.randn(2, 3, 5, 5)) == {'': 2 * 25 * 12, 'conv': 2 * 25 * 12}
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(p.requires_grad and p.device.type == 'cpu' for p in model.parameters())


@pytest.mark.parametrize('pay', [count_madds, measure_latency, peak_memory])
def test_an_input_that_does_not_fit_gets_a_sentence(pay):
    with pytest.raises(UserError, match='Conv2d cannot run on an input of 1 × 1 × 8 × 8 .*: choose another'):
        pay(nn.Conv2d(3, 4, 3), torch.zeros(1, 1, 8, 8))


def test_element_wise_work_does_not_count():
    assert count_madds(nn.Sequential(nn.Sigmoid(), nn.AvgPool2d(2)), torch.zeros(1, 3, 8, 8)) == {'': 0}


def test_latency_says_what_it_holds_for():
    calls = []
    model = nn.Conv2d(3, 4, 3)
    model.register_forward_hook(lambda *args: calls.append(1))
    latency = measure_latency(model, torch.zeros(2, 3, 16, 16), repeats=5)
    assert len(calls) == 5 * (2 + 1)
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


def test_training_memory_of_a_backbone_whose_train_gives_nothing_back():
    class Backbone(nn.Conv2d):
        def train(self, mode=True):
            super().train(mode)

    counted = count_training_memory(Backbone(3, 4, 3), torch.zeros(2, 3, 16, 16))
    assert counted == dict(weights=3 * 4 * (3 * 9 * 4 + 4), per_image=4 * 3 * 16 * 16)


def test_training_memory_is_what_the_backward_pass_needs_each_storage_once():
    """The input for the first convolution, the activation's output for itself and for the second one."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    counted = count_training_memory(model, torch.zeros(2, 3, 16, 16))
    assert counted == dict(weights=3 * 4 * count_parameters(model), per_image=4 * (3 + 8) * 16 * 16)

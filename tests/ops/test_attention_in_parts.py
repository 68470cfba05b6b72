"""Attention part by part is attention with the whole map of weights."""

import pytest
import torch

from attn_plugins.ops import attention_in_parts
from attn_plugins.ops.attention_in_parts import attend_in_parts, attend_in_parts_as_published
from tests.ops.compare import assert_as_published, random

SHAPES = dict(
    query=(2, 3, 7, 4), key=(2, 3, 6, 4), value=(2, 3, 6, 5), of_columns=(2, 3, 7, 2), of_rows=(2, 3, 7, 3)
)
TERMS = [
    ('query', 'key'),
    ('of_columns', 'of_rows'),
    ('query', 'key', 'of_columns', 'of_rows'),
]


@pytest.fixture(params=[6, 25, 10**6], ids=['a query', 'some queries', 'all'])
def part(request, monkeypatch):
    """How many pairs are held at a time."""
    monkeypatch.setitem(attention_in_parts.PART, 'cpu', request.param)


def both(of, names):
    """Of the fast and the published form: rows and sums as one tensor, from `value` and the tensors of the names."""

    def call(value, *tensors):
        given = dict.fromkeys(SHAPES) | dict(zip(names, tensors, strict=True)) | dict(value=value)
        rows, log_sum = of(**given)
        return torch.cat([rows, log_sum[..., None]], -1)

    return call


def tensors_of(names):
    torch.manual_seed(0)
    return [random(*SHAPES[name]) for name in ('value', *names)]


@pytest.mark.usefixtures('part')
@pytest.mark.parametrize('names', TERMS)
def test_values_and_gradients(names):
    assert_as_published(
        both(attend_in_parts, names), both(attend_in_parts_as_published, names), *tensors_of(names)
    )


@pytest.mark.parametrize('name, keys', [('of_columns', 2), ('of_rows', 3)])
@pytest.mark.parametrize('content', [False, True])
def test_one_row_or_one_column_of_keys(name, keys, content):
    tensors = [random(2, 3, keys, 5), random(2, 3, 7, keys)]
    names = [name]
    if content:
        names, tensors = [name, 'query', 'key'], [*tensors, random(2, 3, 7, 4), random(2, 3, keys, 4)]
    fast, published = (both(of, names) for of in (attend_in_parts, attend_in_parts_as_published))
    assert_as_published(fast, published, *tensors)


@pytest.mark.usefixtures('part')
def test_terms_are_shared_and_hide():
    """One term for all samples and heads; what is hidden has no weight, and no gradient is lost to infinities."""
    hide = torch.zeros(1, 1, 7, 2, dtype=torch.float64)
    hide[0, 0, ::2, 1] = float('-inf')

    def call(of):
        return lambda query, key, value, of_rows: of(query, key, value, hide, of_rows)[0]

    tensors = [random(*SHAPES[name]) for name in ('query', 'key', 'value')] + [random(3, 7, 3)[None]]
    assert_as_published(call(attend_in_parts), call(attend_in_parts_as_published), *tensors)


@pytest.mark.usefixtures('part')
@pytest.mark.parametrize('names', TERMS)
def test_derivatives_of_every_kind(names):
    """Second derivatives, and forward ones, agree with finite differences."""
    tensors = [x[:1, :2].requires_grad_() for x in tensors_of(names)]
    call = both(attend_in_parts, names)
    assert torch.autograd.gradcheck(call, tensors, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(call, tensors)


def test_transforms():
    """torch.func's gradients, and maps over samples of some tensors."""
    names = TERMS[2]
    tensors = tensors_of(names)
    fast, published = (both(of, names) for of in (attend_in_parts, attend_in_parts_as_published))
    ours, theirs = (
        torch.func.grad(lambda *given, call=call: call(*given).sin().sum(), tuple(range(5)))(*tensors)
        for call in (fast, published)
    )
    torch.testing.assert_close(ours, theirs)
    several = torch.stack([tensors[1], -tensors[1]], 1)
    ours = torch.func.vmap(fast, in_dims=(None, 1, None, None, None))(tensors[0], several, *tensors[2:])
    theirs = torch.stack([published(tensors[0], several[:, i], *tensors[2:]) for i in (0, 1)])
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('scale', [50, 200])
def test_large_energies(scale):
    """The difference to float64's is what float32 makes of energies of this size."""
    query, key, value, of_columns, of_rows = (random(*SHAPES[name]) for name in SHAPES)
    terms = dict(query=query * scale**0.5, key=key * scale**0.5, value=value)
    terms |= dict(of_columns=of_columns * scale, of_rows=of_rows * scale)
    single = attend_in_parts(**{name: x.float() for name, x in terms.items()})
    exact = attend_in_parts_as_published(**{name: x.float().double() for name, x in terms.items()})
    for ours, theirs in zip(single, exact, strict=True):
        assert (ours - theirs).abs().max() <= 1e-6 * scale * theirs.abs().max()


def test_memory_does_not_grow_with_the_pairs(monkeypatch):
    """Two parts of 1000 pairs where there are 160000; the rest are the tensors themselves."""
    from attn_plugins.cost.cost import LiveTensors

    monkeypatch.setitem(attention_in_parts.PART, 'cpu', 1000)
    shapes = (1, 1, 400, 2), (1, 1, 400, 2), (1, 1, 400, 2), (1, 1, 400, 20), (1, 1, 400, 20)
    tensors = [torch.randn(shape, requires_grad=True) for shape in shapes]
    with LiveTensors(set()) as live:
        rows, log_sum = attend_in_parts(*tensors)
        torch.autograd.grad(rows.sum() + log_sum.sum(), tensors)
    assert live.peak <= 4 * (2 * 1000 + 3 * 400 * 46)

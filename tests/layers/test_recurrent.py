"""The state of a shared excitation: one for each squeeze, from block to block of a stage."""

import pytest
import torch

from attn_plugins.layers.channel.dia import lstm_step
from attn_plugins.layers.recurrent import recurrent_parts
from tests.layers.channel.test_squeeze import descriptor
from tests.layers.helpers import exact, random_map


def run_stage(layer: torch.nn.Module, maps: list[torch.Tensor]) -> list[torch.Tensor]:
    """The layer at every block of one stage, as `Plugged` calls it."""
    parts = list(recurrent_parts(layer))
    for part in parts:
        part.shared = True
        part.start()
    results = [layer(x) for x in maps]
    for part in parts:
        part.end()
    return results


def gates_of_blocks(lstm: torch.nn.Module, descriptors: list[torch.Tensor]) -> list[torch.Tensor]:
    """h of every block for one sequence of descriptors, with a state of its own."""
    hidden = cell = descriptors[0].new_zeros(descriptors[0].shape)
    gates = []
    for z in descriptors:
        hidden, cell = lstm_step(lstm.of_input(z) + lstm.of_state(hidden), cell)
        gates.append(hidden)
    return gates


@pytest.mark.parametrize('squeezes', [['mean', 'max'], ['mean'], ['max', 'mean', 'std']])
def test_every_squeeze_has_a_state_of_its_own(squeezes):
    """Each squeeze's sequence of descriptors over the blocks goes through the recurrence alone; the results are
    added.
    """
    layer = exact('ChannelAttention', in_channels=8, squeeze=squeezes, excitation='lstm', gate='identity')
    maps = [random_map(2, 8, 5, 7) for _ in range(3)]
    sequences = [
        gates_of_blocks(layer.excitation, [descriptor(squeeze, x) for x in maps])
        for squeeze in layer.squeezes
    ]
    for _ in range(2):  # nothing is left for the next forward
        for x, y, gates in zip(maps, run_stage(layer, maps), zip(*sequences, strict=True), strict=True):
            torch.testing.assert_close(y, x * sum(gates)[:, :, None, None])
    assert layer.excitation.state is None


def test_a_recurrent_part_of_a_switch_has_a_state_for_every_squeeze():
    """Blocks that squeeze the same twice give the part the same state twice, which one state would not."""
    options = dict(excitation=dict(type='switch', excitations=['lstm', 'conv1d']), gate='identity')
    twice = exact('ChannelAttention', in_channels=8, squeeze=['mean', 'mean'], **options)
    once = exact('ChannelAttention', in_channels=8, squeeze=['mean'], **options)
    once.load_state_dict(twice.state_dict())
    maps = [random_map(2, 8, 5, 7) for _ in range(3)]
    for one, two in zip(run_stage(once, maps), run_stage(twice, maps), strict=True):
        torch.testing.assert_close(
            two, 4 * one
        )  # the logits of both squeezes are added, and two gates multiply


def test_a_block_without_a_state_is_noticed():
    layer = exact('ChannelAttention', in_channels=8, squeeze=['mean', 'max'], excitation='lstm')
    layer.excitation.shared = True
    with pytest.raises(RuntimeError, match='goes from block to block and is not there'):
        layer(random_map(2, 8, 5, 7))

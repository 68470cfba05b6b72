"""A reservoir exchanges rows with others of all that have gone by, each as likely, and never with themselves."""

import torch

from attn_plugins.layers.channel.parts.reservoir import Reservoir


def numbered(first: int, number: int) -> torch.Tensor:
    """Rows that say which they are."""
    return torch.arange(first, first + number, dtype=torch.float64)[:, None].expand(-1, 3)


def test_no_row_gets_itself_and_all_others_are_as_likely():
    counts = torch.zeros(7, 7)
    for seed in range(2000):
        reservoir = Reservoir(seed=seed)
        given = torch.cat([reservoir.exchange(numbered(first, n)) for first, n in ((0, 1), (1, 2), (3, 4))])
        assert torch.equal(given, given[:, :1].expand(-1, 3)) and given[0, 0] == 0
        counts[torch.arange(7), given[:, 0].long()] += 1
    assert (counts.diagonal()[1:] == 0).all() and (counts[1:3, 3:] == 0).all()
    for row, others in (
        (1, [0, 2]),
        (2, [0, 1]),
        *((row, [k for k in range(7) if k != row]) for row in range(3, 7)),
    ):
        expected = 2000 / len(others)
        assert (counts[row, others] - expected).abs().max() < 4.5 * expected**0.5


def test_what_is_kept_is_a_uniform_sample_of_all():
    counts = torch.zeros(40)
    for seed in range(1000):
        reservoir = Reservoir(size=10, seed=seed)
        for first in range(0, 40, 8):
            reservoir.exchange(numbered(first, 8))
        kept = reservoir.rows[:, 0].long()
        assert len(kept.unique()) == 10 and reservoir.seen == 40
        counts[kept] += 1
    assert (counts - 250).abs().max() < 4.5 * 250**0.5


def test_what_is_kept_holds_no_graph_and_takes_the_rows_precision():
    reservoir, rows = Reservoir(), torch.randn(3, 2, requires_grad=True)
    reservoir.exchange(rows).sum().backward()
    assert rows.grad.sum() == 6 and not reservoir.rows.requires_grad
    assert reservoir.exchange(rows.bfloat16()).dtype == torch.bfloat16
    assert reservoir.exchange(rows[:0]).shape == (0, 2) and Reservoir().exchange(rows[:0]).shape == (0, 2)

"""How many losses that are no numbers a training may have."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub
from mmengine.optim import AmpOptimWrapper

from attn_plugins.errors import Diverged
from attn_plugins.training.divergence import PATIENCE, FiniteLossHook

NAN, INF = float('nan'), float('inf')


def ends_after(losses: list[float], amp: bool = False) -> int | None:
    """The number of iterations after which a training with these losses is ended."""
    hub = MessageHub('losses')
    wrapper = AmpOptimWrapper.__new__(AmpOptimWrapper) if amp else None
    hook = FiniteLossHook()
    for iteration, loss in enumerate(losses):
        runner = SimpleNamespace(message_hub=hub, optim_wrapper=wrapper, iter=iteration, max_iters=1000)
        hub.update_scalar('train/loss', loss)
        try:
            hook.after_train_iter(runner, iteration)
        except Diverged as error:
            assert f'the loss is {loss} at iteration {iteration + 1} of 1000' in str(error)
            return iteration + 1
    return None


@pytest.mark.parametrize('loss', [NAN, INF, -INF])
def test_one_is_enough(loss):
    assert ends_after([1.0, loss, 1.0]) == 2


def test_mixed_precision_may_find_its_scale():
    assert ends_after([1.0, *[INF] * PATIENCE, 1.0, *[NAN] * PATIENCE, 0.5], amp=True) is None
    assert ends_after([1.0, *[NAN] * (PATIENCE + 1)], amp=True) == PATIENCE + 2


def test_a_model_without_a_total_loss_is_left_alone():
    runner = SimpleNamespace(message_hub=MessageHub('none'), optim_wrapper=None, iter=0, max_iters=1)
    FiniteLossHook().after_train_iter(runner, 0)

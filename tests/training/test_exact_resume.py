"""What a checkpoint keeps of modules beside their weights, and gives back."""

from types import SimpleNamespace

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from torch import nn

from attn_plugins.training.exact_resume import KEY, ResumeHook


class Part(nn.Module):
    """Counts in a number, a dict and a tensor, and has a hook that it takes away in its first step."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.steps, self.seen, self.mean = 0, dict(n=0), torch.zeros(2)
        self.handle = self.register_forward_hook(lambda *args: None)

    def step(self) -> None:
        self.steps += 1
        self.seen['n'] += 1
        self.mean = self.mean + 1
        self.handle.remove()
        self.eval()


def runner(model: nn.Module) -> SimpleNamespace:
    return SimpleNamespace(
        model=model,
        hooks=[],
        iter=0,
        seed=1,
        cfg=Config(dict(resume=True)),
        train_loop=None,
        message_hub=MessageHub('m'),
    )


def kept_after(steps: int) -> dict:
    """What a checkpoint holds after so many steps."""
    model, hook, checkpoint = Part(), ResumeHook(), dict(meta=dict(epoch=1, iter=steps))
    hook.before_train(runner(model))
    for _ in range(steps):
        model.step()
    hook.before_save_checkpoint(runner(model), checkpoint)
    return checkpoint


def test_counts_come_back_and_torchs_own_attributes_do_not():
    checkpoint = kept_after(3)
    assert {name for _, name in checkpoint[KEY]['counts']} == {'steps', 'seen', 'mean'}
    fresh = Part()
    ResumeHook().after_load_checkpoint(runner(fresh), checkpoint)
    assert (fresh.steps, fresh.seen, fresh.mean.tolist()) == (3, dict(n=3), [3.0, 3.0])
    assert len(fresh._forward_hooks) == 1 and fresh.training


def test_what_did_not_change_is_not_kept():
    assert kept_after(0)[KEY]['counts'] == {}


def test_gradients_that_wait_for_the_next_step_come_back():
    model, hook, checkpoint = Part(), ResumeHook(), dict(meta=dict(epoch=0, iter=1))
    hook.before_train(runner(model))
    model.fc(torch.ones(1, 2)).sum().backward()
    hook.before_save_checkpoint(runner(model), checkpoint)
    fresh = Part()
    ResumeHook().after_load_checkpoint(runner(fresh), checkpoint)
    assert torch.equal(fresh.fc.weight.grad, model.fc.weight.grad)

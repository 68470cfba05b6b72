"""Checkpoints: whole or cut short, of this model or another, and which one a run resumes from."""

import pytest
import torch
from torch import nn

from attn_plugins.errors import UserError
from attn_plugins.training.checkpoint import (
    broken_checkpoints,
    check_file,
    check_fits,
    latest_checkpoint,
    progress_of,
)


def save(path, model=None):
    torch.save(dict(state_dict=(model or nn.Linear(2, 3)).state_dict(), meta=dict(epoch=1)), path)
    return path


def cut(path, share=0.5):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    return path


@pytest.mark.parametrize('share', [0.0, 0.1, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_short(tmp_path, share):
    with pytest.raises(UserError, match='c.pth is cut short or no checkpoint'):
        check_file(cut(save(tmp_path / 'c.pth', nn.Linear(300, 300)), share))


def test_what_is_no_checkpoint(tmp_path):
    (tmp_path / 'text.pth').write_text('hello')
    with pytest.raises(UserError, match='text.pth is cut short or no checkpoint'):
        check_file(tmp_path / 'text.pth')
    save(tmp_path / 'other.pth')
    check_file(tmp_path / 'other.pth')
    with pytest.raises(
        UserError, match=r'there is no checkpoint .*no.pth: choose from .*other.pth, .*text.pth'
    ):
        check_file(tmp_path / 'no.pth')
    with pytest.raises(UserError, match='other.pth holds no weights'):
        check_fits(dict(a=1), nn.Linear(2, 3), 'other.pth', 'do this')


def test_the_format_from_before_torch_1_6(tmp_path):
    """It has no table of contents, so it is read to see whether it is whole."""
    path = tmp_path / 'old.pth'
    torch.save(nn.Linear(30, 30).state_dict(), path, _use_new_zipfile_serialization=False)
    check_file(path)
    with pytest.raises(UserError, match='old.pth is cut short'):
        check_file(cut(path))


def test_of_this_model_or_another(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    check_fits(torch.load(save(tmp_path / 'c.pth', model)), model, 'c.pth', 'do this')
    weights = model.state_dict()
    # As DataParallel saved them, long ago: with a prefix, without counted batches, without anything around.
    old = {f'module.{key}': value for key, value in weights.items() if 'num_batches' not in key}
    check_fits(old, model, 'c.pth', 'do this')
    other = dict(weights, extra=torch.ones(1))
    del other['1.bias']
    other['0.weight'] = torch.ones(3, 1, 1, 1)
    with pytest.raises(UserError) as error:
        check_fits(dict(state_dict=other), model, 'c.pth', 'do this')
    assert str(error.value) == (
        'c.pth is the checkpoint of another model, its weights are 1 missing (first: 1.bias), 1 '
        'unexpected (first: extra), 1 of another shape (first: 0.weight): do this'
    )


def test_which_one_is_resumed_from(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    first, second = save(tmp_path / 'epoch_9.pth'), save(tmp_path / 'epoch_10.pth')
    save(tmp_path / 'best_accuracy_epoch_99.pth')
    note = tmp_path / 'last_checkpoint'
    assert latest_checkpoint(tmp_path) == second
    # The note goes before the number: after --resume of an earlier epoch the later ones are older.
    note.write_text('/where/it/was/trained/epoch_9.pth')
    assert latest_checkpoint(tmp_path) == first
    # A full disk: half of the next one beside a note that names the last, or a note that is itself cut short.
    cut(save(tmp_path / 'epoch_11.pth'))
    assert broken_checkpoints(tmp_path) == [tmp_path / 'epoch_11.pth']
    assert latest_checkpoint(tmp_path) == first
    note.write_text('')
    assert latest_checkpoint(tmp_path) == second
    note.write_text(str(tmp_path / 'epoch_11.pth'))
    assert latest_checkpoint(tmp_path) == second
    cut(first), cut(second)
    assert latest_checkpoint(tmp_path) is None


def test_progress_is_read_from_the_name(tmp_path):
    assert progress_of(tmp_path / 'epoch_3.pth') == 'epoch 3'
    assert progress_of(tmp_path / 'iter_2000.pth') == 'iteration 2000'

"""A training whose loss is no number any more ends there, with a sentence; a detector that finds nothing scores 0."""

import torch

from tests.cli.conftest import CLASSIFICATION, DETECTION, SHORT, error_line

WILD = ['optim_wrapper.optimizer.lr=1e30', 'train_cfg.max_epochs=3', 'train_dataloader.batch_size=4']


def test_a_training_ends_at_a_loss_that_is_no_number(workspace):
    result = workspace.run('train.py', CLASSIFICATION, '--cfg-options', *SHORT, *WILD)
    line = error_line(result)
    assert line.startswith('error: the loss is nan at iteration 2 of ')
    assert line.endswith('lower the learning rate, warm it up or clip the gradients')


def test_a_detector_that_finds_nothing_scores_zero(workspace):
    """Where mmdet's metric gives no scores: in validations, so that the best checkpoint can be chosen, and in tests."""
    options = [
        *SHORT,
        'train_cfg.max_epochs=2',
        'model.test_cfg.score_thr=2.0',
        'default_hooks.checkpoint.save_best=auto',
    ]
    result = workspace.run('train.py', DETECTION, '--cfg-options', *options)
    assert result.returncode == 0, result.stderr
    assert 'no bbox was found in any image: the scores are 0' in result.stdout
    checkpoint = workspace.folder / 'work_dirs' / 'ssdlite_mobilenetv2_digitscenes' / 'epoch_2.pth'
    kept = torch.load(checkpoint, weights_only=False)['message_hub']['runtime_info']
    assert kept['best_score'] == 0 and 'epoch_1' in kept['best_ckpt']
    result = workspace.run('test.py', DETECTION, checkpoint, '--cfg-options', 'model.test_cfg.score_thr=2.0')
    assert result.returncode == 0, result.stderr
    assert 'coco/bbox_mAP: 0.0000' in result.stdout

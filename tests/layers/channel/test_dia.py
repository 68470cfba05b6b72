"""DIA: its start. The formula is in test_golden.py, the state from block to block in test_recurrent.py."""

from tests.layers.starts import assert_start, torch_default


def test_start():
    """gbup-group/DIANet: models/cifar/dia_resnet.py, torch's default of a linear layer."""
    assert_start(
        'DIA',
        {
            **torch_default('excitation.of_input.0', 64),
            **torch_default('excitation.of_input.2', 16),
            **torch_default('excitation.of_state.0', 64),
            **torch_default('excitation.of_state.2', 16),
        },
        in_channels=64,
        reduction=4,
    )

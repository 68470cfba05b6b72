"""Gates of every form multiply the map."""

import torch

from attn_plugins.ops.recalibrate import recalibrate


def test_recalibrate_broadcasts_every_form_of_gate():
    x = torch.randn(2, 3, 4, 5)
    channel, row, column = torch.rand(2, 3), torch.rand(2, 3, 4, 1), torch.rand(2, 1, 1, 5)
    expected = torch.einsum('nchw,nc,nch,nw->nchw', x, channel, row[..., 0], column[:, 0, 0])
    channel = channel[:, :, None, None]
    torch.testing.assert_close(recalibrate(x, channel, row, column), expected)
    assert recalibrate(x.half(), channel).dtype == torch.float16

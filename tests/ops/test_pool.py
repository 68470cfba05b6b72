"""Plain reductions equal torch's pooling layers."""

import torch
import torch.nn.functional as F

from attn_plugins.ops.pool import channel_max_mean, column_mean, global_max, global_mean, row_mean


def test_pools_equal_torchs_adaptive_pooling():
    x = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(global_mean(x)[..., None, None], F.adaptive_avg_pool2d(x, 1))
    torch.testing.assert_close(global_max(x)[..., None, None], F.adaptive_max_pool2d(x, 1))
    torch.testing.assert_close(row_mean(x), F.adaptive_avg_pool2d(x, (5, 1)))
    torch.testing.assert_close(column_mean(x), F.adaptive_avg_pool2d(x, (1, 7)))
    torch.testing.assert_close(
        channel_max_mean(x)[0, :, 2, 3], torch.stack([x[0, :, 2, 3].max(), x[0, :, 2, 3].mean()])
    )

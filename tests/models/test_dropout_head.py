"""The classifier behind dropout: in training features are dropped, in evaluation it is mmpretrain's linear head."""

import torch
from mmpretrain.models.heads import LinearClsHead

from attn_plugins.models.dropout_head import DropoutClsHead


def test_it_drops_in_training_only():
    head = DropoutClsHead(dropout=0.5, num_classes=3, in_channels=1000)
    plain = LinearClsHead(num_classes=3, in_channels=1000)
    plain.load_state_dict(head.state_dict())
    features = (torch.ones(1, 4), torch.ones(2, 1000))
    assert torch.equal(head.eval()(features), plain(features))
    torch.manual_seed(0)
    dropped = head.train().pre_logits(features)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert 0.4 < float((dropped == 0).float().mean()) < 0.6

"""Models of a few weights to look at: with hand-made answers, so that maps can be computed by hand."""

from types import SimpleNamespace

import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import nn

from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.network import Network

SAMPLES = [BaseDataElement(metainfo=dict(img_shape=(32, 32)))]


class TinyClassifier(nn.Module):
    """Two convolutions, the mean, a matrix."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(inplace=True)
        )
        self.head = nn.Linear(6, 5)

    def forward(self, inputs, samples=None, mode='tensor'):
        return self.head(self.backbone(inputs).mean((2, 3)))


class BrightSpot(nn.Module):
    """A detector that finds one box, with the mean brightness inside it as its score; as mmdet's, it detaches."""

    box = (8, 12, 14, 18)

    def __init__(self):
        super().__init__()
        self.backbone = nn.Conv2d(3, 3, 1, bias=False)
        nn.init.dirac_(self.backbone.weight)

    def predict(self, inputs, samples, rescale=True):
        x1, y1, x2, y2 = self.box
        for image, sample in zip(self.backbone(inputs), samples, strict=True):
            score = image[:, y1:y2, x1:x2].mean().detach()
            scores = torch.stack([0.1 * score, score])
            bboxes = torch.tensor([[0.0, 0, 5, 5], self.box])
            sample.pred_instances = InstanceData(scores=scores, bboxes=bboxes, labels=torch.tensor([0, 1]))
        return samples


class Strips(nn.Module):
    """A segmentor of five classes that predicts the first ones in strips of these widths, by a map of its backbone."""

    def __init__(self, widths):
        super().__init__()
        self.backbone = nn.Conv2d(3, 5, 1)
        self.decode_head = nn.Module()
        self.decode_head.num_classes = 5
        columns = torch.arange(len(widths)).repeat_interleave(torch.tensor(widths))
        self.strips = 100 * nn.functional.one_hot(columns, 5).T[None, :, None].float()

    def encode_decode(self, inputs, metas):
        return self.backbone(inputs) + self.strips


def network_of(model: nn.Module, library: str) -> Network:
    """A model as the network of a subject of five classes."""
    subject = LoadedModel('tiny', SimpleNamespace(), library, model.eval(), tuple('abcde'), 'random weights')
    return Network(subject, SAMPLES)


def picture_of(inputs: torch.Tensor):
    """What `compute_cam` reads of a picture, for an image that is not resized."""
    from attn_plugins.visualization.geometry import Region

    height, width = inputs.shape[2:]
    region = Region((1.0, 0.0), (1.0, 0.0), (slice(0, height), slice(0, width)))
    pixels = torch.zeros(height, width, 3).numpy()
    return SimpleNamespace(name='made.png', inputs=inputs, region=region, pixels=pixels, samples=SAMPLES)

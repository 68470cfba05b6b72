"""The study: every kind of norm with every seed, each pair trained on the same crops and written when it is
finished.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.utils import save_image

from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from projects.iebn.style_transfer.features import VGGFeatures
from projects.iebn.style_transfer.images import Crops, find_images, read_image, resize_to, style_image
from projects.iebn.style_transfer.losses import Losses, PerceptualLoss, Weights
from projects.iebn.style_transfer.network import style_network
from projects.trainings import Training, carry_out, keep_settings

SETTINGS, RUNS, LOSSES = 'settings.json', 'runs', 'losses.json'
CONTENT_PICTURE, STYLE_PICTURE = 'content.png', 'style.png'


@dataclass(frozen=True)
class Settings:
    """All that decides what is trained, but for norm and seed.

    Attributes:
        images: The folder, or 'embedded'.
        style: The style image: a file or a generated texture.
        picture: The picture that is stylised in the end; the first of the images if None.
        steps, batch_size: Of training.
        size: Pixels of a side of the crops.
        style_size, picture_size: Pixels of the shorter side of style image and picture.
        width: Channels of the network's first convolution.
        reduction: Of SE.
        content_layer: Of VGG16.
        content_weight, style_weight, tv_weight: Of the losses.
        learning_rate: Adam's, constant.
        every: Steps from one that is written down to the next.
    """

    images: str
    style: str
    picture: str | None
    steps: int
    batch_size: int
    size: int
    style_size: int
    picture_size: int
    width: int
    reduction: int
    content_layer: str
    content_weight: float
    style_weight: float
    tv_weight: float
    learning_rate: float
    every: int


def run_study(
    settings: Settings,
    features: VGGFeatures,
    norms: list[str],
    seeds: list[int],
    out: Path,
    device: str,
    workers: int,
    console: Console,
) -> dict:
    """Trains every pair of norm and seed that `out` has no result of, and writes `losses.json`.

    Args:
        settings (Settings): Of the training.
        features (VGGFeatures): The loss network.
        norms (list[str]): Kinds of norm.
        seeds (list[int]): Of start, order and crops: the same for every norm.
        out (Path): The folder for results.
        device (str): Where to train.
        workers (int): Processes that read images.
        console (Console): For progress.

    Returns:
        dict: What `losses.json` holds.

    Raises:
        UserError: Something of what is given cannot be used, or `out` holds results of other settings.
    """
    for norm in norms:  # what cannot be built is refused before hours of training
        style_network(norm, settings.width, settings.reduction)
    images = find_images(settings.images)
    content = read_image(Path(settings.picture) if settings.picture else images[0])
    content = resize_to(content, settings.picture_size).to(device)
    style = resize_to(style_image(settings.style), settings.style_size).to(device)
    keep_settings(
        out / SETTINGS, dict(asdict(settings), features=features.label, number_of_images=len(images))
    )
    save_image(content, out / CONTENT_PICTURE)
    save_image(style, out / STYLE_PICTURE)
    weights = Weights(settings.content_weight, settings.style_weight, settings.tv_weight)
    loss = PerceptualLoss(features.to(device), style[None], weights, settings.content_layer)

    def train(norm: str, seed: int, done: Callable[[int], None]) -> tuple[dict, str]:
        crops = Crops(images, settings.size, settings.steps * settings.batch_size, seed)
        batches = DataLoader(crops, settings.batch_size, num_workers=workers)
        network, run = _train(settings, norm, seed, batches, loss, device, done)
        save_image(_stylised(network, content), picture_file(out, norm, seed))
        return run, f'{run["seconds"]:.0f} s, loss of the last step {run["total"][-1]} ({features.label})'

    pairs = list(dict.fromkeys((norm, seed) for seed in seeds for norm in norms))
    trainings = [
        Training(f'{norm}, seed {seed}', run_file(out, norm, seed), partial(train, norm, seed))
        for norm, seed in pairs
    ]
    carry_out(trainings, settings.steps, dict(device=device), console)
    result = dict(
        features=features.label,
        settings=asdict(settings),
        runs=[read_json(training.file) for training in trainings],
    )
    write_json(out / LOSSES, result)
    return result


def run_file(out: Path, norm: str, seed: int) -> Path:
    """Where the losses of one training stand once it is finished."""
    return out / RUNS / f'{norm}_seed{seed}.json'


def picture_file(out: Path, norm: str, seed: int) -> Path:
    """Where the picture stands that one training's network has made."""
    return run_file(out, norm, seed).with_suffix('.png')


def _train(
    settings: Settings, norm: str, seed: int, batches: DataLoader, loss: PerceptualLoss, device: str, done
) -> tuple[torch.nn.Module, dict]:
    """One network, trained, and what there is to say of it.

    Raises:
        UserError: The loss is no longer a finite number.
    """
    torch.manual_seed(seed)
    network = style_network(norm, settings.width, settings.reduction).to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
    steps, lines = [], []
    start = time.perf_counter()
    for step, x in enumerate(_read(batches), start=1):
        x = x.to(device)
        losses = loss(network(x), x)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        if step % settings.every == 0 or step == settings.steps:
            steps.append(step)
            lines.append([float(f'{value.item():.5g}') for value in losses])
            if not torch.isfinite(losses.total):
                raise UserError(
                    f'{norm} with seed {seed} has no finite loss at step {step}: lower --learning-rate or the weights'
                )
        done(step)
    return network, dict(
        norm=norm,
        seed=seed,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        seconds=round(time.perf_counter() - start, 1),
        step=steps,
        **dict(zip(Losses._fields, map(list, zip(*lines, strict=True)), strict=True)),
    )


def _read(batches: DataLoader) -> Iterator[Tensor]:
    """The batches. What a worker process refuses comes with its traceback, whose last line is the sentence."""
    try:
        yield from batches
    except UserError as error:
        sentence = str(error).splitlines()[-1]
        raise UserError(sentence.removeprefix('attn_plugins.errors.UserError: ')) from error


@torch.no_grad()
def _stylised(network: torch.nn.Module, picture: Tensor) -> Tensor:
    """(3, H, W) -> (3, H, W) in evaluation, where batch norms use their running statistics: one picture has no
    batch.
    """
    return network.eval()(picture[None])[0]

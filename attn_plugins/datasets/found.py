"""What is there of a dataset, and the files of its images: what a look at a layout gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """The files of one image: itself, and its `mask` or the XML file of its `boxes`, if it has one."""

    image: Path
    mask: Path | None = None
    boxes: Path | None = None


@dataclass
class Found:
    """What is there of one dataset.

    Attributes:
        content (str): What the dataset holds.
        faults (list[str]): What is wrong; empty if nothing is.
        missing (Path, optional): The first file or folder that is missing.
        advice (str, optional): What to do, where the layout tells it.
        samples (Callable, optional): Gives a `Sample` for every image; None where images have no files of their own.
        images (Callable, optional): Counts the images where they have no files of their own.
    """

    content: str = ''
    faults: list[str] = field(default_factory=list)
    missing: Path | None = None
    advice: str | None = None
    samples: Callable[[], Iterator[Sample]] | None = None
    images: Callable[[], int] | None = None

    def count(self) -> int | None:
        """The number of images; None where only reading all of them would tell."""
        if self.samples is not None:
            return sum(1 for _ in self.samples())
        return self.images() if self.images is not None else None

"""Records where and with what a result was made: versions, git commit, machine."""

import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

import attn_plugins

# Package -> the distributions that may contain it: the maintained family's and OpenMMLab's own.
DISTRIBUTIONS = {
    'torch': ('torch',),
    'torchvision': ('torchvision',),
    'mmengine': ('onedl-mmengine', 'mmengine'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
}


def versions() -> dict[str, str]:
    """Returns the version of Python and of every package that affects a result; missing packages are left out."""
    found = {'python': platform.python_version(), 'attn_plugins': attn_plugins.__version__}
    for name, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            with suppress(PackageNotFoundError):
                found[name] = version(distribution)
    return found


def git_commit() -> str | None:
    """Returns the code's commit, with '-dirty' if tracked files were changed; None outside the package's repository."""
    folder = Path(attn_plugins.__file__).parent
    commands = (
        ['git', 'ls-files', '--error-unmatch', '__init__.py'],
        ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'],
    )
    try:
        answers = [
            subprocess.run(c, cwd=folder, check=True, capture_output=True, text=True).stdout for c in commands
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return answers[-1].strip()


def cores() -> int:
    """Returns the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count()


def machine() -> dict:
    """Returns the CPU model, usable cores, memory in GiB, and the names of the visible GPUs."""
    return dict(
        cpu=_cpu_model(),
        cores=cores(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        gpus=[torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    )


def _cpu_model() -> str:
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()

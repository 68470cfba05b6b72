"""Command lines run as processes, in a folder of their own with a tiny DigitScenes where the configs expect it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from attn_plugins.datasets.digit_scenes import write_digit_scenes
from attn_plugins.training.preloaded_process import Process, start_process

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
CLASSIFICATION = CONFIGS / 'mobilenetv2' / 'mobilenetv2_digitscenes.py'
DETECTION = CONFIGS / 'ssdlite' / 'ssdlite_mobilenetv2_digitscenes.py'
SEGMENTATION = CONFIGS / 'deeplabv3' / 'deeplabv3_mobilenetv2_digitscenes.py'
# One or two steps per epoch, on the smallest hosts.
SHORT = [
    'train_dataloader.batch_size=4',
    'train_cfg.val_interval=1',
    'param_scheduler=None',
    'default_hooks.logger.interval=1',
]


def write_checkpoint(path: Path, config: Path, preset: str) -> None:
    """A checkpoint as a training leaves it, of a model that was not trained."""
    import torch
    from mmengine.config import Config

    from attn_plugins.training.config import load_config
    from attn_plugins.training.library import build_model

    cfg = load_config(config, preset)
    cfg.model.backbone.pop('init_cfg', None)
    model = build_model(cfg)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=Config(cfg.to_dict()).pretty_text)), path)


class Workspace:
    """A folder with data/digit_scenes in it, and commands run there."""

    def __init__(self, folder: Path):
        self.folder = folder

    def environment(self, **variables: str) -> dict:
        """One thread per process, and no accelerator: what is tested here is the same on every machine."""
        kept = {
            key: value for key, value in os.environ.items() if key not in ('ATTENTION', 'RANK', 'WORLD_SIZE')
        }
        return dict(kept, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHON=sys.executable) | variables

    def run(self, tool, *args, **variables: str) -> subprocess.CompletedProcess:
        """Runs a tool by its name in tools/ or by its path, and returns when it has ended."""
        out, errors = (self.folder / f'.{name}' for name in ('stdout', 'stderr'))
        process = self.start(tool, *args, out=out, errors=errors, **variables)
        try:
            code = process.wait(timeout=240)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(args, code, out.read_text(), errors.read_text())

    def start(self, tool, *args, out: Path, errors: Path, **variables: str) -> Process:
        """Starts a tool, of Python from the server that has the libraries imported, and returns at once."""
        path = tool if isinstance(tool, Path) else ROOT / 'tools' / tool
        command, env = [str(path), *map(str, args)], self.environment(**variables)
        with out.open('w') as stdout, errors.open('w') as stderr:
            files = dict(stdout=stdout, stderr=stderr, cwd=self.folder, env=env)
            if path.suffix == '.sh':
                return subprocess.Popen(['bash', *command], start_new_session=True, **files)
            return start_process(command, **files)


def error_line(result: subprocess.CompletedProcess) -> str:
    """The one error line of a command that refused its input, without a traceback, with an exit code of 1."""
    assert result.returncode == 1, result.stdout + result.stderr
    assert 'Traceback' not in result.stdout + result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope='session')
def scenes(tmp_path_factory) -> Path:
    """A DigitScenes of eight scenes to train on and four to validate."""
    root = tmp_path_factory.mktemp('scenes') / 'digit_scenes'
    write_digit_scenes(root, train=8, val=4, size=128, progress=False)
    return root


@pytest.fixture
def workspace(tmp_path, scenes) -> Workspace:
    """An empty folder that has the data."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'digit_scenes').symlink_to(scenes)
    return Workspace(tmp_path)

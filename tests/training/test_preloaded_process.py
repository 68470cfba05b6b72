"""Processes from the server that has imported the libraries: each is what `python ARGS` would be."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from attn_plugins.training.preloaded_process import PreloadedProcess, start_plain_process

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(tmp_path):
    """Starts a script in a folder of its own; returns the process, and `read()` what it has printed."""

    def start(text: str, *args: str, kind=PreloadedProcess, **variables: str):
        (tmp_path / 'script.py').write_text(text)
        out, errors = tmp_path / 'out.txt', tmp_path / 'errors.txt'
        # The environment that Workspace gives to the commands of a test: one server for all tests of a process.
        env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHON=sys.executable)
        with out.open('w') as stdout, errors.open('w') as stderr:
            process = kind(
                [*(args or ['script.py'])],
                env=dict(env, **variables),
                stdout=stdout,
                stderr=stderr,
                cwd=tmp_path,
            )
        process.read = lambda: (out.read_text(), errors.read_text())
        return process

    return start


WHO = """
import json, os, sys
print(json.dumps(dict(argv=sys.argv, name=__name__, cwd=os.getcwd(), word=os.environ.get('WORD'), path=sys.path[:2],
                      session=os.getsid(0) == os.getpid(), imported='mmdet' in sys.modules, input=sys.stdin.read(),
                      gone=os.environ.get('PYTEST_VERSION'))))
print('said', file=sys.stderr)
sys.exit(3)
"""


@pytest.mark.parametrize('args', [['script.py', '--a', 'b'], ['-m', 'script', '--a', 'b']], ids=' '.join)
def test_a_fork_is_the_process_that_was_asked_for(start, tmp_path, args, monkeypatch):
    monkeypatch.delenv('PYTEST_VERSION', raising=False)
    process = start(WHO, *args, WORD='x', PYTHONPATH=str(tmp_path / 'more'))
    assert process.wait(60) == 3
    out, errors = process.read()
    assert json.loads(out) == dict(
        argv=[str(tmp_path / 'script.py') if args[0] == '-m' else 'script.py', '--a', 'b'],
        name='__main__',
        cwd=str(tmp_path),
        word='x',
        path=[str(tmp_path), str(tmp_path / 'more')],
        session=True,
        imported=True,
        input='',
        gone=None,
    )
    assert errors == 'said\n'


TRAINING = """
import os, sys, tempfile
import torch
torch.manual_seed(0)
torch.use_deterministic_algorithms(True)
model = torch.nn.Sequential(
    torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Flatten(), torch.nn.LazyLinear(5))
model(torch.randn(2, 3, 9, 9))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(5):
    loss = model(torch.randn(8, 3, 9, 9)).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
print(torch.get_num_threads(), loss.item().hex())
"""


@pytest.mark.parametrize('threads', ['1', '2'])
def test_it_computes_what_a_plain_process_computes(start, threads):
    outputs = []
    for kind in (PreloadedProcess, start_plain_process):
        process = start(TRAINING, kind=kind, OMP_NUM_THREADS=threads)
        assert process.wait(120) == 0, process.read()
        outputs.append(process.read())
    assert outputs[0] == outputs[1]
    assert outputs[0][0].startswith(threads)


def test_two_forks_draw_other_numbers_and_leave_no_temporary_folder(start):
    text = """
import random, tempfile
import numpy as np, torch
folder = tempfile.TemporaryDirectory()
print(random.random(), np.random.rand(), torch.rand(1).item(), folder.name)
"""
    drawn = []
    for _ in range(2):
        process = start(text)
        assert process.wait(60) == 0, process.read()
        drawn.append(process.read()[0].split())
    assert all(a != b for a, b in zip(*drawn, strict=True)), drawn
    assert not any(Path(numbers[-1]).exists() for numbers in drawn)


@pytest.mark.parametrize('text, code', [('import os; os.abort()', -signal.SIGABRT), ('1 / 0', 1)])
def test_one_that_breaks_says_so_and_hurts_no_other(start, text, code):
    process = start(text)
    assert process.wait(60) == code
    assert ('ZeroDivisionError' in process.read()[1]) == (code == 1)
    assert start('').wait(60) == 0


def test_another_environment_or_package_is_taken_up_by_a_plain_start(start, tmp_path):
    """With a word, and with all that a plain start does: the user's own fork of a library stands before the installed
    one.
    """
    process = start(WHO, PYTHONOPTIMIZE='1')
    assert process.wait(60) == 3
    out, errors = process.read()
    assert not json.loads(out)['imported']
    assert errors == 'started without the preloaded libraries: PYTHONOPTIMIZE is 1 and not None\nsaid\n'

    (tmp_path / 'mmseg').mkdir()
    (tmp_path / 'mmseg' / '__init__.py').write_text("__version__ = 'mine'")
    process = start('import mmseg; print(mmseg.__version__)')
    assert process.wait(60) == 0
    out, errors = process.read()
    assert out == 'mine\n' and f'mmseg is here that of {tmp_path}' in errors


OWNER = """
import os, signal, sys, time
from pathlib import Path
import psutil
from attn_plugins.training import preloaded_process

def start(text):
    Path('script.py').write_text(text)
    with open('out.txt', 'a') as out:
        return preloaded_process.start_process(['script.py'], env=os.environ, stdout=out, stderr=out)

assert start("import sys; print('preloaded', 'mmdet' in sys.modules)").wait(120) == 0
sleeper = start('import time; time.sleep(600)')
psutil.Process(sleeper.pid).parent().kill()
assert sleeper.wait(60) == preloaded_process.SERVER_DIED
assert start("import sys; print('again', 'mmdet' in sys.modules)").wait(120) == 0
Path(preloaded_process.__file__).with_name('fingerprint.py').touch()
assert start("import sys; print('changed', 'mmdet' in sys.modules)").wait(120) == 0
print(sleeper.pid, start('import time; time.sleep(600)').pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_changed_library_a_server_that_dies_and_an_owner_that_dies(tmp_path):
    """In a process with a copy of the package, as its files are touched."""
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    shutil.copytree(ROOT / 'attn_plugins', tmp_path / 'copy' / 'attn_plugins', ignore=ignored)
    (tmp_path / 'owner.py').write_text(OWNER)
    owner = subprocess.run(
        [sys.executable, 'owner.py'],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(tmp_path / 'copy'), OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert owner.returncode == -signal.SIGKILL, owner.stderr
    text = (tmp_path / 'out.txt').read_text()
    # Once, beside much other work, there was a line more, of a library or of Python: it is no concern of this test.
    words = ('preloaded ', 'again ', 'changed ', 'started without ')
    said = [line for line in text.splitlines() if line.startswith(words)]
    assert said[:2] == ['preloaded True', 'again True'] and said[3] == 'changed False', text
    assert said[2].startswith('started without the preloaded libraries') and said[2].endswith(
        f'{tmp_path}/copy/attn_plugins/training/fingerprint.py has changed'
    )
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(int(pid)) for pid in owner.stdout.split()):
        assert time.monotonic() < deadline, 'a process outlives its server or its owner'
        time.sleep(0.05)

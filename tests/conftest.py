"""Ctrl-C works in the processes that tests start, and every test draws the same random numbers in every run."""

import gc
import random
import signal

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from attn_plugins.ops.mode import on_small_maps_too
from tests import budget

# A shell without job control starts background jobs with SIGINT ignored, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def fixed_seed():
    """A failure can be repeated: no test depends on the ones that ran before it in its process."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope='module', autouse=True)
def lasting_objects():
    """What was imported stays, so the garbage collector need not walk over it: mmengine calls it for every data set."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def fast_forms():
    """Tests have small maps, and layers their fast forms for large ones: here these run on any."""
    with on_small_maps_too():
        yield


@pytest.fixture(scope='session')
def data_trees(tmp_path_factory):
    """A `data` folder with a small data set of every layout."""
    from tests.datasets.trees import write_trees

    root = tmp_path_factory.mktemp('trees') / 'data'
    write_trees(root)
    return root


@pytest.fixture
def any_md5(monkeypatch):
    """mmpretrain takes the files of a small CIFAR, whose MD5 sums cannot be the published ones; it still looks
    whether all are there.
    """
    monkeypatch.setattr('mmpretrain.datasets.cifar.check_md5', lambda path, md5: True)


@pytest.fixture(autouse=True)
def no_default_scope():
    """A training in this process leaves its library's scope behind, in which the next test would look its types up."""
    yield
    DefaultScope._instance_dict.clear()


def pytest_terminal_summary(terminalreporter):
    """The seconds of every folder beside those that are planned for it."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    durations = [(report.nodeid, report.duration) for report in reports if hasattr(report, 'duration')]
    lines, over = budget.table(durations)
    terminalreporter.section('time by folder, of one core')
    for line in lines:
        terminalreporter.write_line(line)
    for line in over:
        terminalreporter.write_line(f'warning: {line}', yellow=True)

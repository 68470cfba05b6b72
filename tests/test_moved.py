"""What users imported by its old name is found: whole modules, and names that went to another file."""

import subprocess
import sys
from importlib import import_module

import pytest

from attn_plugins.moved import MOVED, NAMES, PACKAGES, new_name


@pytest.mark.parametrize('old', MOVED)
def test_an_old_name_is_the_present_module(old):
    module = import_module(f'attn_plugins.{old}')
    assert module is import_module(f'attn_plugins.{MOVED[old]}')
    assert module.__spec__.name == f'attn_plugins.{MOVED[old]}'


@pytest.mark.parametrize('old', MOVED)
def test_an_old_module_is_found_in_its_package(old):
    """As by `from attn_plugins.engine import start`."""
    package, _, name = old.rpartition('.')
    scope: dict = {}
    exec(f'from attn_plugins.{package} import {name} as m', scope)
    assert scope['m'].__name__ == f'attn_plugins.{MOVED[old]}'


def test_an_old_package_leaves_the_present_one_as_it_is():
    code = 'import attn_plugins.engine.resume, attn_plugins.training.resume\n'
    code += 'from attn_plugins.training import resume\nfrom attn_plugins.engine import resume as old, hooks\n'
    code += 'from attn_plugins.losses import DistillationLoss\nfrom attn_plugins.analysis import LEFT_OUT\n'
    code += 'from attn_plugins.losses import *\nActivationTransfer\n'
    code += 'print(resume.__name__, old.__name__, hooks.__name__)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    names = ['resume', 'exact_resume', 'hooks']
    assert done.stdout.split() == [f'attn_plugins.training.{name}' for name in names], done.stderr


def test_modules_in_a_package_that_moved():
    assert import_module('attn_plugins.engine.hooks') is import_module('attn_plugins.training.hooks')
    # What has a name of its own in the table goes before its package.
    assert new_name('attn_plugins.engine.resume') == 'attn_plugins.training.exact_resume'
    assert new_name('attn_plugins.training.resume') is None
    with pytest.raises(ModuleNotFoundError, match='attn_plugins.training.nothing'):
        import_module('attn_plugins.engine.nothing')


@pytest.mark.parametrize('present, name', [(present, name) for present in NAMES for name in NAMES[present]])
def test_a_name_that_went_to_another_file(present, name):
    olds = [old for old, new in MOVED.items() if present == new]
    olds += [present.replace(new, old, 1) for old, new in PACKAGES.items() if present.startswith(f'{new}.')]
    for old in olds:
        found = getattr(import_module(f'attn_plugins.{old}'), name)
        assert found is getattr(import_module(f'attn_plugins.{NAMES[present][name]}'), name)
    assert olds

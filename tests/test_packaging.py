"""The installation's error sentences, and what sdist and wheel hold: run as processes, nothing of it on the network."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INSTALL = ROOT / 'requirements' / 'install.sh'
BASH = shutil.which('bash')


def install(path, **variables):
    """install.sh with a doctored PATH; PYTHON and VENV as given."""
    env = dict(os.environ, PATH=str(path), **{key: str(value) for key, value in variables.items()})
    for key in {'PYTHON', 'STACK', 'CXX', 'VIRTUAL_ENV'} - variables.keys():
        env.pop(key, None)
    return subprocess.run(
        [BASH, str(INSTALL)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def sentence(result):
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
    return line


def program(folder, name, body='exit 0'):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!{BASH}\n{body}\n')
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path):
    """A PATH with what install.sh needs and nothing else: no Python, no compiler, a uv that does nothing."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in ('bash', 'env', 'dirname', 'awk', 'nproc', 'rm', 'mkdir', 'cat'):
        (folder / name).symlink_to(shutil.which(name))
    program(folder, 'uv')
    program(folder, 'df', "printf 'Filesystem blocks\\n/dev/x 1 1 99999999 1%% /\\n'")
    return folder


@pytest.fixture
def environment(tmp_path):
    """A virtual environment that sees this one's packages, and where others can be put before them."""
    folder = tmp_path / 'venv'
    venv.create(folder, with_pip=False)
    site = next(folder.glob('lib/python*/site-packages'))
    (site / 'stack.pth').write_text(sysconfig.get_paths()['purelib'])
    return folder, site


def add_dist(site, name, version):
    info = site / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')


def fake_python(version):
    return f'case "$2" in *version_info*) echo {version} ;; esac'


RANGES = {'onedl': ('3.10 to 3.12', 'make install'), 'upstream': ('3.10', 'make test-upstream')}


@pytest.mark.parametrize('stack', RANGES)
def test_no_python_on_this_machine(tools, tmp_path, stack):
    program(tools, 'python3', fake_python('3.13'))
    line = sentence(install(tools, STACK=stack, VENV=tmp_path / 'new', PYENV_ROOT=tmp_path))
    versions, command = RANGES[stack]
    assert f'no Python {versions} on PATH (python3 is 3.13)' in line and f'{command} PYTHON=' in line


@pytest.mark.parametrize('owner', ['PATH', 'pyenv', 'uv'])
def test_python_is_found_where_it_lies(tools, tmp_path, owner):
    """The next thing that is missing is then the compiler."""
    program(tools, 'python3', fake_python('3.13'))
    folder = dict(PATH=tools, pyenv=tmp_path / 'versions/3.10.13/bin', uv=tmp_path / 'uv')[owner]
    folder.mkdir(parents=True, exist_ok=True)
    program(folder, 'python' if owner == 'pyenv' else 'python3.10', fake_python('3.10'))
    if owner == 'uv':
        program(tools, 'uv', f'case "$*" in "python find"*3.10) echo {folder}/python3.10 ;; esac')
    line = sentence(install(tools, STACK='upstream', VENV=tmp_path / 'new', PYENV_ROOT=tmp_path))
    assert 'no C++ compiler' in line


def test_there_is_no_such_stack(tools):
    assert 'choose onedl or upstream' in sentence(install(tools, STACK='openmmlab'))


@pytest.mark.parametrize(('version', 'said'), [('3.9', 'is Python 3.9'), ('', 'does not run')])
def test_named_python_is_out_of_range_or_does_not_run(tools, tmp_path, version, said):
    program(tools, 'python-x', fake_python(version))
    line = sentence(install(tools, VENV=tmp_path / 'new', PYTHON='python-x'))
    assert said in line and '3.10 to 3.12' in line


def test_no_compiler(tools, tmp_path):
    line = sentence(install(tools, VENV=tmp_path / 'new', PYTHON=sys.executable))
    assert 'no C++ compiler (c++)' in line and 'g++' in line


def test_no_headers(tools, tmp_path):
    program(tools, 'c++')
    program(tools, 'python-x', f'{fake_python("3.11")}\ncase "$2" in *Python.h*) exit 1 ;; esac')
    assert 'Python.h' in sentence(install(tools, VENV=tmp_path / 'new', PYTHON='python-x'))


def test_full_disk(tools, tmp_path):
    program(tools, 'c++')
    program(tools, 'python-x', fake_python('3.11'))
    program(tools, 'df', "printf 'Filesystem blocks\\n/dev/x 1 1 2097152 1%% /\\n'")
    assert '2 GiB are free' in sentence(install(tools, VENV=tmp_path / 'new', PYTHON='python-x'))


def test_failed_step_is_named(tools, environment):
    program(tools, 'c++')
    program(tools, 'uv', 'case "$1" in --version) exit 0 ;; *) echo "no space" >&2; exit 2 ;; esac')
    add_dist(environment[1], 'torch', '2.0.0')  # not the pinned one, so there is something to install
    line = sentence(install(tools, VENV=environment[0]))
    assert 'requirements/onedl/build.txt' in line and 'run make install again' in line


def test_both_families(tools, environment):
    folder, site = environment
    add_dist(site, 'mmengine', '0.10.7')
    line = sentence(install(tools, VENV=folder))
    assert 'mmengine 0.10.7 of the upstream family' in line and f'delete {folder}' in line


def test_upstream_stack_beside_the_other_family(tools, environment):
    """This test's own environment is the other one."""
    line = sentence(install(tools, STACK='upstream', VENV=environment[0]))
    assert f'onedl-mmcv {metadata.version("onedl-mmcv")}, ' in line and 'make test-upstream VENV=' in line


def test_mmcv_without_operators(tools, environment):
    folder, site = environment
    program(tools, 'c++')
    (site / 'mmcv').mkdir()
    (site / 'mmcv' / '__init__.py').touch()
    # Before the .pth's packages, as site-packages itself is.
    line = sentence(install(tools, VENV=folder))
    assert 'lacks its compiled operators' in line and 'uv cache clean onedl-mmcv' in line


def test_environment_of_another_python(tools, environment):
    program(tools, 'python-x', fake_python('3.12' if sys.version_info[:2] != (3, 12) else '3.11'))
    assert 'leave PYTHON out' in sentence(install(tools, VENV=environment[0], PYTHON='python-x'))


COMPILER = ROOT / 'requirements' / 'compiler.sh'
SOURCE = '#include <torch/types.h>\nint answer() { return ANSWER; }\n'


@pytest.fixture
def compile_file(tmp_path):
    """Compiles a file as torch's build of mmcv does, `-c` twice included, with a compiler of the test's own around
    the real one.
    """
    (tmp_path / 'include' / 'torch').mkdir(parents=True)
    (tmp_path / 'include' / 'torch' / 'types.h').write_text('#pragma once\n#define ANSWER 42\n')
    (tmp_path / 'header').mkdir()

    def start(name='x', source=SOURCE, first='', more=()):
        (tmp_path / f'{name}.cpp').write_text(source)
        program(tmp_path / 'bin', 'cxx', f'echo "$@" >> {tmp_path}/calls\n{first}\nexec c++ "$@"')
        flags = [
            '-MMD',
            '-MF',
            f'{name}.o.d',
            '-g',
            '-O3',
            '-fPIC',
            f'-I{tmp_path}/include',
            '-c',
            '-c',
            f'{name}.cpp',
            '-o',
            f'{name}.o',
        ]
        env = dict(os.environ, MMCV_CXX=str(tmp_path / 'bin' / 'cxx'), MMCV_HEADER=str(tmp_path / 'header'))
        return subprocess.Popen(
            [COMPILER, *flags, '-std=c++17', *more], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
        )

    return start


def test_the_headers_are_compiled_once_for_all_files(compile_file, tmp_path):
    """By the first of two processes that start together, under the flags of the files; without debug information."""
    for process in [compile_file('x'), compile_file('y')]:
        assert process.wait(60) == 0, process.stderr.read()
    calls = (tmp_path / 'calls').read_text().splitlines()
    assert sum('c++-header' in call for call in calls) == 1
    assert sum('-include' in call and '-fsyntax-only' not in call for call in calls) == 2
    assert (tmp_path / 'header' / 'outcome').read_text() == 'header\n'
    assert all((tmp_path / f'{name}.o').stat().st_size < 3000 for name in 'xy')
    # A link is left to the compiler.
    assert (
        subprocess.run(
            [COMPILER, '-shared', 'x.o', '-o', 'x.so'], cwd=tmp_path, env=dict(os.environ, MMCV_CXX='c++')
        ).returncode
        == 0
    )


@pytest.mark.parametrize(
    ('first', 'reason'),
    [
        (
            'case "$*" in *c++-header*) echo "cc1plus: error: no headers here" >&2; exit 1 ;; esac',
            'they could not be compiled by themselves: cc1plus: error: no headers here',
        ),
        (
            'case "$*" in *c++-header*) echo "fatal error: No space left on device" >&2; exit 1 ;; esac',
            'they could not be compiled by themselves: fatal error: No space left on device',
        ),
        (
            'case "$*" in *-fsyntax-only*) echo "torch.hpp.gch: not used" >&2; exit 1 ;; esac',
            'the compiler did not take them: torch.hpp.gch: not used',
        ),
        ('case "$*" in *-include*) case "$*" in *-fsyntax-only*) ;; *) exit 1 ;; esac ;; esac', 'header'),
    ],
    ids=['no header', 'full disk', 'not taken', 'refused later'],
)
def test_where_the_headers_cannot_be_compiled_once_every_file_is_compiled_by_itself(
    compile_file, tmp_path, first, reason
):
    process = compile_file(first=first)
    assert process.wait(60) == 0, process.stderr.read()
    assert (tmp_path / 'x.o').is_file()
    assert (tmp_path / 'header' / 'outcome').read_text().strip() == reason
    assert (tmp_path / 'header' / 'torch.hpp.gch').exists() == (reason == 'header')


def test_what_is_wrong_in_a_file_is_said_by_the_compiler(compile_file):
    process = compile_file(source='int answer() { return nothing; }\n')
    assert process.wait(60) == 1 and 'nothing' in process.stderr.read()


def test_wheels_that_are_not_there(tools, tmp_path):
    program(tools, 'c++')
    line = sentence(install(tools, VENV=tmp_path / 'new', PYTHON=sys.executable, WHEELS='nowhere'))
    assert line == 'error: WHEELS=nowhere is no folder; name the one that holds the wheels'


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """sdist of a copy of this tree, and the wheel built from the unpacked sdist."""
    folder = tmp_path_factory.mktemp('built')
    tree = folder / 'tree'
    ignored = shutil.ignore_patterns('.venv*', '.git', 'work_dirs', 'data', '__pycache__', '.*_cache')
    tree.mkdir()
    for name in ('attn_plugins', 'configs', 'tools', 'requirements'):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
    for path in ROOT.iterdir():
        if path.is_file() and path.name not in ignored(str(ROOT), [path.name]):
            shutil.copy(path, tree)
    backend = 'from setuptools import build_meta; build_meta.{}({!r})'
    run = [sys.executable, '-W', 'ignore', '-c']
    subprocess.run(
        [*run, backend.format('build_sdist', str(folder))], cwd=tree, check=True, capture_output=True
    )
    (sdist,) = folder.glob('*.tar.gz')
    with tarfile.open(sdist) as archive:
        assert not [member.name for member in archive if member.issym()]
        archive.extractall(folder / 'unpacked', filter='data')
    (unpacked,) = (folder / 'unpacked').iterdir()
    subprocess.run(
        [*run, backend.format('build_wheel', str(folder))], cwd=unpacked, check=True, capture_output=True
    )
    (wheel,) = folder.glob('*.whl')
    return wheel


def test_wheel_ships_configs_and_tools(built):
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    for path in [
        *(ROOT / 'configs').rglob('*.py'),
        *(ROOT / 'configs').rglob('*.yml'),
        *(ROOT / 'tools').glob('*.*'),
    ]:
        if path.name == 'benchmark_layers.py':
            continue
        assert f'attn_plugins/.mim/{path.relative_to(ROOT)}' in names
    for path in (ROOT / 'attn_plugins' / 'benchmark' / 'templates').iterdir():
        assert f'attn_plugins/benchmark/templates/{path.name}' in names
    assert 'attn_plugins/.mim/model-index.yml' in names
    assert not [name for name in names if 'benchmarks/' in name], 'of this repository alone'
    assert all(name.startswith('attn_plugins') for name in names)
    assert not [name for name in names if name.endswith('.pyc')]


def test_metadata_requires_no_mm_package(built):
    with zipfile.ZipFile(built) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith('dist-info/METADATA')]
        lines = archive.read(name).decode().splitlines()
    required = [line for line in lines if line.startswith('Requires-Dist:')]
    assert sorted(line for line in required if 'extra ==' not in line) == [
        'Requires-Dist: numpy',
        'Requires-Dist: torch>=2.1',
    ]
    extras = {line.removeprefix('Provides-Extra: ') for line in lines if line.startswith('Provides-Extra')}
    assert extras == {'onedl', 'openmmlab', 'benchmark', 'dev'}


def test_inheritance_in_a_users_own_project(built, tmp_path, environment):
    """The wheel alone, in a folder that knows nothing of this checkout."""
    folder, site = environment
    with zipfile.ZipFile(built) as archive:
        archive.extractall(site)
    project = tmp_path / 'project'
    project.mkdir()
    (project / 'mine.py').write_text(
        textwrap.dedent("""
        _base_ = 'attn_plugins::ssdlite/ssdlite_mobilenetv2-ca_8xb32-200k_coco.py'
        model = dict(bbox_head=dict(num_classes=3))
        """)
    )
    code = textwrap.dedent("""
        import attn_plugins
        from mmengine.config import Config
        from mmdet.utils import register_all_modules
        from mmengine.registry import MODELS
        assert attn_plugins.__file__.startswith(SITE), attn_plugins.__file__
        cfg = Config.fromfile('mine.py')
        register_all_modules()
        model = MODELS.build(cfg.model)
        print(len(attn_plugins.inserted_layers(model)), model.bbox_head.num_classes, type(model).__name__)
        """).replace('SITE', repr(str(site)))
    result = subprocess.run(
        [str(folder / 'bin' / 'python'), '-W', 'ignore', '-c', code],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-3:] == ['16', '3', 'SingleStageDetector']

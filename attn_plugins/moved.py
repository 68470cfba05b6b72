"""Imports modules by their old names: `attn_plugins.engine.hooks` is `attn_plugins.training.hooks`."""

import sys
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Old name -> new name, without 'attn_plugins.': of packages, whose modules went there but for those in MOVED ...
PACKAGES = {'analysis': 'cost', 'engine': 'training', 'losses': 'distillation.losses'}
# ... and of modules.
MOVED = {
    'analysis.census': 'gates.census',
    'analysis.census_plot': 'gates.census_plot',
    'analysis.cost': 'cost.cost',
    'analysis.dataflow': 'gates.dataflow',
    'analysis.fold': 'gates.fold',
    'analysis.folded_config': 'gates.folded_config',
    'analysis.forward_pass': 'cost.forward_pass',
    'analysis.gate_statistics': 'gates.gate_statistics',
    'analysis.gates': 'gates.watch',
    'analysis.inspection': 'cost.model_tree',
    'analysis.machine': 'machine',
    'analysis.match': 'cost.match',
    'benchmark.caveats': 'benchmark.report.caveats',
    'benchmark.compare': 'benchmark.report.compare',
    'benchmark.convergence': 'benchmark.report.caveats',
    'benchmark.estimate': 'benchmark.statistics',
    'benchmark.outlook': 'benchmark.report.summary',
    'benchmark.plot': 'benchmark.report.plot',
    'benchmark.record': 'benchmark.run_folder',
    'benchmark.schedule': 'benchmark.scheduler',
    'benchmark.starts': 'benchmark.report.caveats',
    'benchmark.suite_controls': 'benchmark.suite_comparisons',
    'benchmark.tables': 'benchmark.report.sections',
    'benchmark.verdict': 'benchmark.report.summary',
    'engine.distillation_hook': 'distillation.hook',
    'engine.preload': 'training.preload',
    'engine.preloaded': 'training.preloaded_process',
    'engine.resume': 'training.exact_resume',
    'engine.settings': 'training.fingerprint',
    'engine.start': 'training.runner',
    'engine.trained': 'training.evaluation',
    'insertion.convs': 'insertion.replaced',
    'insertion.folding': 'insertion.guards',
    'insertion.freezing': 'insertion.guards',
    'insertion.insert': 'insertion.apply_entry',
    'insertion.norms': 'insertion.replaced',
    'insertion.plugged': 'insertion.plug',
    'insertion.plugs': 'insertion.containers',
    'insertion.positions': 'insertion.host_tables',
    'insertion.share': 'insertion.apply_entry',
    'insertion.start': 'insertion.identity_start',
    'insertion.targets': 'insertion.locate',
    'layers.channel.dct': 'layers.channel.fca',
    'layers.channel.excitation': 'layers.channel.attention',
    'layers.channel.gate': 'layers.channel.parts.gate',
    'layers.channel.lstm': 'layers.channel.dia',
    'layers.channel.reservoir': 'layers.channel.parts.reservoir',
    'layers.channel.squeeze': 'layers.channel.parts.squeeze',
    'layers.wrapper': 'layers.state_dict_keys',
    'losses.schedule': 'distillation.losses.loss_schedule',
    'visualization.subject': 'visualization.loaded_model',
    'ops.context': 'ops.context_gating',
    'ops.lstm': 'layers.channel.dia',
    'ops.noise': 'layers.norm.noisy_bn',
}
# Module that some names were moved out of -> name -> its new module; the lookup uses the module's old name only.
NAMES = {
    'layers.channel.attention': {
        'FCExcitation': 'layers.channel.se',
        'Conv1dExcitation': 'layers.channel.eca',
        'StyleExcitation': 'layers.channel.srm',
        'NormalizedScaleExcitation': 'layers.channel.gct',
        'SwitchExcitation': 'layers.channel.sem',
        'InstanceEnhanceExcitation': 'layers.channel.sem',
    },
    'layers.channel.parts.squeeze': {
        **dict.fromkeys(('StdSqueeze', 'MeanStdSqueeze'), 'layers.channel.srm'),
        **dict.fromkeys(('L1Squeeze', 'L2Squeeze'), 'layers.channel.gct'),
    },
    'training.config': dict.fromkeys(
        ('preset_name', 'preset_names', 'preset_of', 'ROOT'), 'training.presets'
    ),
    'training.hooks': dict.fromkeys(('TrainingRecordHook',), 'training.resume'),
    'training.runner': dict.fromkeys(('how_to_resume', 'TRAINING'), 'training.resume'),
}


def new_name(name: str) -> str | None:
    """Returns the present name of a module that has moved; None if it has not."""
    old, rest = name.removeprefix('attn_plugins.'), ''
    while old not in MOVED and old not in PACKAGES:
        old, dot, last = old.rpartition('.')
        if not dot:
            return None
        rest = f'.{last}{rest}'
    return f'attn_plugins.{ {**PACKAGES, **MOVED}[old] }{rest}'


class _Alias(MetaPathFinder, Loader):
    """A finder that runs before Python's own.

    Python's would find `engine.hooks` in the folder of `engine` and load it twice.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.startswith('attn_plugins.') and new_name(name):
            return ModuleSpec(name, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Replaces the empty module that was created for it by the present module.

        An old package stays a module of its own, which finds its old modules first and then what the present package
        has: `engine.resume` is not `training.resume`.
        """
        if module.__name__.removeprefix('attn_plugins.') in PACKAGES:
            module.__path__ = []
            module.__getattr__ = partial(_from_old_package, module.__name__)  # type: ignore[method-assign]
            return
        present = import_module(new_name(module.__name__) or module.__name__)
        for name, home in NAMES.get(present.__name__.removeprefix('attn_plugins.'), {}).items():
            setattr(present, name, getattr(import_module(f'attn_plugins.{home}'), name))
        sys.modules[module.__name__] = present


def _from_old_package(package: str, name: str) -> Any:
    """Finds an attribute of an old package: one of its modules, or what the present package has."""
    if name.startswith('__') and name != '__all__':
        raise AttributeError(name)
    with suppress(ModuleNotFoundError):
        return import_module(f'{package}.{name}')
    return getattr(import_module(new_name(package) or package), name)


def keep_old_names() -> None:
    """Makes imports by old names find the present modules."""
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias())

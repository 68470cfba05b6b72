"""Imports modules by the names they had before: `attn_plugins.engine.hooks` is `attn_plugins.training.hooks`."""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

# Old name -> new name, of modules and of whole packages, without 'attn_plugins.'.
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
    'benchmark.outlook': 'benchmark.report.verdict',
    'benchmark.plot': 'benchmark.report.plot',
    'benchmark.record': 'benchmark.run_folder',
    'benchmark.schedule': 'benchmark.scheduler',
    'benchmark.starts': 'benchmark.report.caveats',
    'benchmark.suite_controls': 'benchmark.suite_comparisons',
    'benchmark.tables': 'benchmark.report.sections',
    'benchmark.verdict': 'benchmark.report.verdict',
    'engine': 'training',
    'engine.distillation_hook': 'distillation.hook',
    'engine.preload': 'training.preload',
    'engine.preloaded': 'training.preloaded_process',
    'engine.resume': 'training.exact_resume',
    'engine.settings': 'training.fingerprint',
    'engine.start': 'training.random_start',
    'engine.trained': 'training.evaluation',
    'insertion.folding': 'insertion.fusion_guard',
    'insertion.insert': 'insertion.insertion',
    'insertion.plugged': 'insertion.plug',
    'insertion.plugs': 'insertion.containers',
    'insertion.start': 'insertion.identity_start',
    'insertion.targets': 'insertion.locate',
    'layers.channel.dct': 'layers.channel.parts.dct',
    'layers.channel.excitation': 'layers.channel.parts.excitation',
    'layers.channel.gate': 'layers.channel.parts.gate',
    'layers.channel.lstm': 'layers.channel.parts.lstm',
    'layers.channel.reservoir': 'layers.channel.parts.reservoir',
    'layers.channel.squeeze': 'layers.channel.parts.squeeze',
    'layers.wrapper': 'layers.transparent_module',
    'losses': 'distillation.losses',
    'losses.schedule': 'distillation.losses.loss_schedule',
}


def new_name(name: str) -> str | None:
    """Finds the present name of a module that has moved; None if it has not."""
    old, rest = name.removeprefix('attn_plugins.'), ''
    while old not in MOVED:
        old, dot, last = old.rpartition('.')
        if not dot:
            return None
        rest = f'.{last}{rest}'
    return f'attn_plugins.{MOVED[old]}{rest}'


class _Alias(MetaPathFinder, Loader):
    """Stands before Python's own finders, which would find `engine.hooks` in the folder of `engine` and load it twice."""

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        if name.startswith('attn_plugins.') and new_name(name):
            return ModuleSpec(name, self)
        return None

    def exec_module(self, module) -> None:
        """Puts the present module into the place of the empty one that stands for it."""
        sys.modules[module.__name__] = import_module(new_name(module.__name__))


def keep_old_names() -> None:
    """Lets imports by old names find the present modules."""
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias())

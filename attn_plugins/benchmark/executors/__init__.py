"""Where runs run: this machine now; a cluster is another class with the same five words."""

from attn_plugins.benchmark.executors.base import Executor
from attn_plugins.benchmark.executors.local import LocalExecutor

__all__ = ['Executor', 'LocalExecutor']

"""Carries runs out: on this machine. For a cluster, write another class with the same methods."""

from attn_plugins.benchmark.executors.base import Executor
from attn_plugins.benchmark.executors.local import LocalExecutor

__all__ = ['Executor', 'LocalExecutor']

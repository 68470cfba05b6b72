"""Carries out the steps of one run: `python -m attn_plugins.benchmark.worker FOLDER`.

It needs nothing but the run's folder (config.py, run.json), so any executor can start it anywhere, also as several
processes by torchrun. It may be killed at any moment; started again, it goes on from the last checkpoint.
"""

import argparse
import gc
import os
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import psutil

from attn_plugins.benchmark.run_folder import RANK_FAILURES, RESULT, RUN, folder_lock
from attn_plugins.benchmark.steps import STEPS, StepKind, has_finished, left_of
from attn_plugins.files import read_json, write_json
from attn_plugins.training.preloaded_process import die_with_parent


def carry_out(folder: Path, kinds: Mapping[str, StepKind] = STEPS) -> int:
    """Carry out what is left of a run's steps and write the result of each; return 1 if one failed.

    Of several processes each carries out all steps, and the first writes.

    Args:
        folder: The run's folder.
        kinds: The kinds of steps, by their names.
    """
    from attn_plugins.errors import Diverged
    from attn_plugins.explain import explain
    from attn_plugins.training.launch import end_distributed

    # The first step's seconds include the start of the process. From here on by a clock that nobody sets.
    begun = time.monotonic() - max(0.0, time.time() - psutil.Process().create_time())
    run, first = read_json(folder / RUN), is_first()
    result = _begun_result(folder, run, kinds)
    try:
        for step in left_of(run['steps'], result['steps']):
            print(f'$ {step["name"]}', flush=True)
            kind = kinds[step['kind']]
            before = kind.seconds_before(folder)
            kept = kind.carry_out(folder, run, step)
            begun, wall = time.monotonic(), time.monotonic() - begun + before
            result['steps'][step['name']] = dict(kept, wall_seconds=wall, step=step)
            gc.collect()  # a Runner that is over still holds its model in reference cycles
            if has_finished(run['steps'], result['steps'], kinds):
                result['state'] = 'finished'  # whatever becomes of the extra steps
            if first:
                write_json(folder / RESULT, result)
        result['state'] = 'finished'
    except Exception as error:  # any model's own error is this run's, and the suite goes on with the others
        traceback.print_exc()
        sentence = explain(error) or f'{type(error).__name__}: {error}'
        # A loss that is not finite comes again with the same seed, so it is the result of this run.
        result['state'] = 'diverged' if isinstance(error, Diverged) else 'failed'
        result['error'] = f'{step["name"]}: {" ".join(sentence.split())}'
        if not first:
            failure = dict(state=result['state'], error=result['error'])
            write_json(folder / RANK_FAILURES.replace('*', os.environ['RANK']), failure)
    if first:
        write_json(folder / RESULT, result)
    end_distributed()
    return int(result['state'] != 'finished')


def _begun_result(folder: Path, run: dict, kinds: Mapping[str, StepKind]) -> dict:
    """Describe this process, and keep the steps that an earlier one has finished; of a finished run keep all."""
    from attn_plugins.machine import git_commit, machine, versions

    earlier = read_json(folder / RESULT) or dict(steps={})
    if has_finished(run['steps'], earlier['steps'], kinds):
        return earlier  # it says how its scores were made
    return dict(
        state='begun',
        config_hash=run['config_hash'],
        versions=versions(),
        git_commit=git_commit(),
        machine=machine(),
        processes=run['processes'],
        threads=int(os.environ.get('OMP_NUM_THREADS', 0)) or None,
        steps=earlier['steps'],
    )


def is_first() -> bool:
    """Tell whether this process writes: it is the only one of its run, or the first."""
    return int(os.environ.get('RANK', 0)) == 0


def main(kinds: Mapping[str, StepKind] = STEPS) -> int:
    """Run the module's command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of the run, with config.py and run.json')
    folder = parser.parse_args().folder
    die_with_parent()
    # The processes of a run that was killed take a moment to end: they still hold the folder until then.
    with folder_lock(folder, patience=10) if is_first() else nullcontext():
        return carry_out(folder, kinds)


if __name__ == '__main__':
    sys.exit(main())

"""Looks at how busy the machine is with other things than this process, while times are measured."""

import os
import time

import psutil

# Cores' worth of other work that measured times are not marked for.
LITTLE = 0.25


class OtherWork:
    """Measures the CPU time that other processes take, from when it is made to when it is asked."""

    def __init__(self) -> None:
        self.load = load_average()
        self._started = self._now()

    @property
    def cores(self) -> float:
        """How many of the cores that this process may use were busy with other processes, on the mean."""
        (busy, own, clock), (busy_then, own_then, clock_then) = self._now(), self._started
        others = (busy - busy_then) - (own - own_then)
        return max(0.0, others / max(clock - clock_then, 1e-9))

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Read the seconds that all cores were busy, those of this process, and the clock."""
        mine = os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else None
        busy = 0.0
        for core, times in enumerate(psutil.cpu_times(percpu=True)):
            if mine is None or core in mine:
                waiting = times.idle + getattr(times, 'iowait', 0.0)
                guests = getattr(times, 'guest', 0.0) + getattr(
                    times, 'guest_nice', 0.0
                )  # in user time already
                busy += sum(times) - waiting - guests
        own = psutil.Process().cpu_times()
        return busy, own.user + own.system, time.monotonic()


def load_average() -> float:
    """Read how many processes ran or wanted to, on the mean of the last minute."""
    return psutil.getloadavg()[0]

"""The nodes of a Ray cluster: whether one lives, and the end of a worker on it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mgsweep.store import Holder


def lives(node: str, patience: float) -> bool:
    """Whether a node, if it is known, is still alive when its death would have been told."""
    deadline = time.monotonic() + patience
    while alive := node in ("", *(found["NodeID"] for found in ray.nodes() if found["Alive"])):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.2)
    return alive


def kill(holder: Holder) -> None:
    """End a worker that hangs, on whatever node of the cluster it is. SIGKILL ends a stopped process, too."""
    for node in ray.nodes():
        if node["Alive"] and node["NodeManagerHostname"] == holder.host:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ray.remote(num_cpus=0)(_kill).options(scheduling_strategy=there).remote(holder.pid)
            return


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

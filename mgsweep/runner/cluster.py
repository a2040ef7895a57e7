"""A run on a Ray cluster: on one that is there, or on a private one for as long as the run lasts."""

from __future__ import annotations

import logging
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mgsweep import durable
from mgsweep.errors import InvalidInput
from mgsweep.plan.schema import Resources
from mgsweep.runner import Agenda, Listener, Outcome
from mgsweep.runner.connection import check, configure, connected, watched
from mgsweep.runner.dispatch import Dispatch
from mgsweep.runner.limits import Limits
from mgsweep.runner.places import Places
from mgsweep.runner.preflight import no_room, slots
from mgsweep.runner.stopping import Stop
from mgsweep.store import Store, leases

if TYPE_CHECKING:
    from mgsweep.runner.execution import Training

log = logging.getLogger("mgsweep")

WAITING = 8
"""So many trials at least wait on a given cluster: an autoscaler adds nodes for all of them, not one by one.

Not of a search, whose suggestions are the better the later they are asked for.
"""


def run(
    agenda: Agenda,
    places: Places,
    listener: Listener,
    resources: Resources,
    address: str | None = None,
    verbose: bool = False,
    training: Training | None = None,
    stop: Stop | None = None,
    limits: Limits | None = None,
    insecure: bool = False,
    once_ready: Callable[[], None] = lambda: None,
    on_death: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run what is on the agenda on a cluster.

    Args:
        address: of a running cluster ("auto" for the one of this machine); None starts a private one here.
        verbose: let Ray show its messages and what workers print; failures are told by the listener in any case.
        training: what makes the epochs, in a module that workers can import; default: on the data.
        stop: ends the run when it is asked to.
        limits: how much the run may use.
        insecure: talk to a cluster on another machine without a token.
        once_ready: called when nothing speaks against running any more, before the first trial.
        on_death: called when Ray has died on this machine, some seconds before it takes this process with it.

    Raises:
        InvalidInput: the cluster cannot be reached, asks for no token, or is private and not one trial fits on it.
    """
    check(address, insecure)
    configure(address)
    from mgsweep.runner.execution import train_on_data
    from mgsweep.runner.plan_on_tune import SCRATCH, tuner
    from mgsweep.runner.remembering import remembering

    with connected(address, verbose) as nodes:
        fit = _room(resources, nodes, may_grow=address is not None)
        once_ready()
        # Tune's own choice is one pending trial for a searcher, which would fill the cluster slot by slot.
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(max(fit + 1, WAITING if address and agenda.foreseen else 0))
        dispatch = Dispatch(agenda, Store(places.results), resources, listener, stop, limits)
        with watched(on_death), _scratch(places.results, SCRATCH) as name, remembering():
            # A cluster that can grow does so for a trial that waits.
            at_once = math.inf if address else fit
            tuner(dispatch, places, resources, training or train_on_data, name, at_once).fit()
        return dispatch.outcome()


def _room(wanted: Resources, nodes: list[dict[str, float]], may_grow: bool) -> int:
    """How many trials fit now. None is well where nodes may join: of an autoscaler, or of a job that is starting.

    Raises:
        InvalidInput: not one, and there will be no more room.
    """
    fit = slots(wanted, nodes)
    if not fit:
        problem = no_room(wanted, nodes)
        if not may_grow:
            advice = f"ask for less with --set {problem.key}=N"
            raise InvalidInput.of(f"{problem.message}; {advice}", key=problem.key)
        log.warning("%s; waiting for a node to join that has more", problem)
    return fit


@contextmanager
def _scratch(results: Path, corner: str) -> Iterator[str]:
    """A folder of this driver's own for Tune's files, gone afterwards; those of drivers that were killed go, too."""
    for other in durable.names(results / corner):
        found = leases.holder(results, f"{corner}/{other}")
        if found and leases.is_dead(results, f"{corner}/{other}", found):
            shutil.rmtree(results / corner / other, ignore_errors=True)
    name = uuid.uuid4().hex
    lease = leases.take(results, f"{corner}/{name}")
    try:
        yield name
    finally:
        if lease:
            lease.release()
        shutil.rmtree(results / corner / name, ignore_errors=True)
        with suppress(OSError):
            (results / corner).rmdir()

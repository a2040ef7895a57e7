"""A run on a Ray cluster: on one that is there, or on a private one for as long as the run lasts."""

from __future__ import annotations

import logging
import math
import os
import secrets
import select
import shutil
import signal
import socket
import struct
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mgsweep import durable
from mgsweep.errors import InvalidInput
from mgsweep.plan.schema import Resources
from mgsweep.runner import Agenda, Listener, Outcome
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

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # a sweep opens no connection of its own
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean what they mean where the user stands
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # no upload of the working directory
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # 20 ms a trial instead of 1.7 s; the worker writes the record
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Tune's snapshots are never read
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are ours
    "RAY_AIR_NEW_OUTPUT": "0",  # the newer reporter of Tune prints failures even when it is told to be silent
}


def configure(address: str | None) -> None:
    """Set what Ray reads from the environment. Must come before Ray is imported.

    A private cluster gets a token of its own, in no file: nobody else on this machine can submit code to it. For a
    given cluster the user's RAY_AUTH_MODE and token hold.
    """
    os.environ |= ENVIRONMENT
    if address is None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


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
    if not insecure:
        _ask_for_token(address)
    _knock(address)
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
        with _watched(on_death), _scratch(places.results, SCRATCH) as name, remembering():
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
def _watched(on_death: Callable[[], None]) -> Iterator[None]:
    """Notice when the raylet of this machine dies: Ray then ends the driver without a word and by no exception."""
    raylet, ended = _raylet(), threading.Event()

    def wait(raylet: int) -> None:
        select.select([raylet], [], [])
        os.close(raylet)
        if not ended.is_set():
            on_death()

    if raylet is not None:
        threading.Thread(target=wait, args=[raylet], daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _raylet() -> int | None:
    """A descriptor of the process by which this driver talks to its node; None where the kernel does not tell."""
    from ray._private import worker

    with suppress(OSError, AttributeError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(worker._global_node.raylet_socket_name)  # type: ignore[attr-defined]  # none of ray://
        pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        return os.pidfd_open(pid)
    return None


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


@contextmanager
def connected(address: str | None, verbose: bool = False) -> Iterator[list[dict[str, float]]]:
    """A connection to the given cluster, or to a private one that lives as long as this block; yields what nodes have.

    Raises:
        InvalidInput: the cluster cannot be reached.
    """
    import ray
    from ray._private import worker

    if not verbose:  # a worker that died is told by the listener, in a line
        worker.print_to_stdstream = lambda *arguments, **options: None
    private = Path(tempfile.mkdtemp(prefix="mgsweep-")) if address is None else None
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if private else None,
            log_to_driver=verbose,
            logging_level=logging.INFO if verbose else logging.CRITICAL,
            _temp_dir=str(private) if private else None,
            object_store_memory=100 * 2**20 if private else None,  # nothing of size passes through it
        )
    except (ConnectionError, RuntimeError) as error:
        asked = (
            "" if os.environ.get("RAY_AUTH_MODE") == "token" else "; if it asks for a token, set RAY_AUTH_MODE=token"
        )
        raise InvalidInput.of(f"cannot use the cluster: {error}{asked}", where="--address", key=str(address)) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has taken it, to leave at once
    try:
        yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()
        if private:
            shutil.rmtree(private, ignore_errors=True)


def _ask_for_token(address: str | None) -> None:
    """Ray runs the code of whoever reaches its ports, so over a network it is used with a token, or not at all."""
    host, _, _ = (address or "").removeprefix("ray://").rpartition(":")
    nearby = host in ("", "localhost", "[::1]") or host.startswith("127.")
    if not nearby and os.environ.get("RAY_AUTH_MODE") != "token":
        message = (
            f"{address} is on the network, and RAY_AUTH_MODE is not token: whoever reaches its ports can run code. "
            "Start the cluster with RAY_AUTH_MODE=token and set it here, with the token in RAY_AUTH_TOKEN or "
            "~/.ray/auth_token; or say --insecure"
        )
        raise InvalidInput.of(message, where="--address")


def _knock(address: str | None) -> None:
    """See at once whether somebody answers at host:port; Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        message = f"nobody answers at {address} ({error}); start the cluster, or leave --address out for a private one"
        raise InvalidInput.of(message, where="--address") from None

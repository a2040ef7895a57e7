"""The connection to a Ray cluster: to one that is there, or to a private one for as long as it is needed."""

from __future__ import annotations

import logging
import os
import secrets
import select
import shutil
import signal
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mgsweep.errors import InvalidInput

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


def check(address: str | None, insecure: bool = False) -> None:
    """See, before Ray is imported, that a given cluster answers and that it is safe to talk to.

    Raises:
        InvalidInput: it asks for no token though it is on a network, and the user does not insist; or nobody answers.
    """
    if not insecure:
        _ask_for_token(address)
    _knock(address)


@contextmanager
def connected(address: str | None, verbose: bool = False) -> Iterator[list[dict[str, float]]]:
    """A connection to the given cluster, or to a private one that lives as long as this block; yields what nodes have.

    Raises:
        InvalidInput: the cluster cannot be reached or started.
    """
    import ray

    private = Path(tempfile.mkdtemp(prefix="mgsweep-")) if address is None else None
    try:
        _connect(address, private, verbose)
        yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()
        if private:
            shutil.rmtree(private, ignore_errors=True)


def _connect(address: str | None, private: Path | None, verbose: bool) -> None:
    import ray
    from ray._private import worker

    if not verbose:  # a worker that died is told by the listener, in a line
        worker.print_to_stdstream = lambda *arguments, **options: None
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
        raise _unusable(address, error) from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has taken it, to leave at once


def _unusable(address: str | None, error: Exception) -> InvalidInput:
    if address is None:
        return InvalidInput.of(f"Ray does not start on this machine: {error}; --local runs without it")
    with_token = os.environ.get("RAY_AUTH_MODE") == "token"
    advice = "" if with_token else "; if it asks for a token, set RAY_AUTH_MODE=token"
    return InvalidInput.of(f"cannot use the cluster: {error}{advice}", where="--address", key=address)


@contextmanager
def watched(on_death: Callable[[], None]) -> Iterator[None]:
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

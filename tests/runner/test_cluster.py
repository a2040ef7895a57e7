"""The command line on Ray, as a user types it: equal to a run without Ray, interrupted by Ctrl-C, killed by SIGKILL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest
from chaos import Silent
from replay import plan

from mgsweep import runner
from mgsweep.errors import InvalidInput
from mgsweep.plan import Plan, load
from mgsweep.runner import Places, cluster, connection
from mgsweep.store import Store

COMMAND = [sys.executable, "-m", "mgsweep"]
TIMES = ["seconds", "peak_memory", "started"]


def mgsweep(*arguments: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@contextmanager
def begun(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A run in a process group of its own, which nothing survives the block of."""
    command = [*COMMAND, *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        with process:
            yield process
            process.kill()
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def measured(folder: Path) -> pd.DataFrame:
    return Store(folder).frame().drop(columns=TIMES)


def wait_for_epochs(folder: Path, count: int) -> None:
    """Until so many rows of unfinished trials are on disk."""
    store, deadline = Store(folder), time.monotonic() + 120
    while sum(len(store.progress(name)) for name in store.begun()) < count:
        assert time.monotonic() < deadline, "no trial made progress"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, write_sweep: Callable[[Path], Path]) -> pd.DataFrame:
    """The records of a run that nothing disturbed, in one process without Ray, to which all others are compared."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGSWEEP_CACHE", str(folder / "cache"))
        patch.setenv("OMP_NUM_THREADS", "1")
        done = mgsweep("run", write_sweep(folder), "--local", "--store", folder / "local")
    assert done.returncode == 0, done.stdout + done.stderr
    return measured(folder / "local" / "tiny")


def test_ray_gives_the_rows_of_a_local_run_and_isolates_a_failure(
    sweep: Path, tmp_path: Path, undisturbed: pd.DataFrame
) -> None:
    sweep.write_text(sweep.read_text() + "  - {model: vanilla, loss: none, learning_rate: 1e+20, seed: 5}\n")
    done = mgsweep("run", sweep, "--store", tmp_path / "ray")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "7 trials: 0 done, 7 to run" in done.stdout
    assert "the training loss is no longer finite" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    pd.testing.assert_frame_equal(measured(tmp_path / "ray" / "tiny"), undisturbed, check_exact=True)
    assert not (tmp_path / "ray" / "tiny" / ".ray").exists()
    again = mgsweep("run", sweep, "--store", tmp_path / "ray")
    assert again.returncode == 1
    assert "7 trials: 6 done, 1 failed, 0 to run" in again.stdout


def test_kill_9_and_the_same_command(sweep: Path, tmp_path: Path, undisturbed: pd.DataFrame) -> None:
    """The driver and all that belongs to it die in mid-epoch; the same command ends with the same rows."""
    folder = tmp_path / "ray" / "tiny"
    arguments = ("run", sweep, "--store", tmp_path / "ray")
    with begun(*arguments) as process:
        wait_for_epochs(folder, 4)
        kill_group(process)
        process.wait()
    survivors = [pid for pid in Store(folder).begun() if Store(folder).is_held(pid)]
    deadline = time.monotonic() + 30
    while any(Store(folder).is_held(name) for name in survivors) and time.monotonic() < deadline:
        time.sleep(0.2)
    done = mgsweep(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    pd.testing.assert_frame_equal(measured(folder), undisturbed, check_exact=True)
    assert Store(folder).finished() == {trial.id for trial in load(sweep).trials}
    assert not list(folder.glob("running/*"))


def test_ctrl_c_stops_cleanly_and_resumes(sweep: Path, tmp_path: Path, undisturbed: pd.DataFrame) -> None:
    folder = tmp_path / "ray" / "tiny"
    arguments = ("run", sweep, "--store", tmp_path / "ray")
    with begun(*arguments) as process:
        wait_for_epochs(folder, 2)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 130, output
    assert "Resume: mgsweep run" in " ".join(output.split())
    assert "Traceback" not in output
    assert Store(folder).finished() < {trial.id for trial in load(sweep).trials}
    done = mgsweep(*arguments, "--local")  # on Ray the run above goes on, that was killed
    assert done.returncode == 0, done.stdout + done.stderr
    pd.testing.assert_frame_equal(measured(folder), undisturbed, check_exact=True)


def test_a_cluster_that_is_not_there(sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("run", sweep, "--store", tmp_path / "ray", "--address", "127.0.0.1:1", timeout=120)
    assert done.returncode == 2
    assert "--address: nobody answers at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ray").exists()


def test_b29_a_private_cluster_without_room(sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("run", sweep, "--store", tmp_path / "ray", "--set", "resources.gpu=99", timeout=120)
    assert done.returncode == 2
    assert "resources.gpu: a trial asks for 99, the largest node has" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "ray").exists()


CONNECT = """
from mgsweep.runner import connection

connection.configure(None)
with connection.connected(None) as nodes:
    import ray

    print(int(nodes[0]["CPU"]), ray.get_runtime_context().gcs_address)
"""


def test_f47_a_foreign_cluster_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the environment leads to it, which is where Ray goes that is not told where."""
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        foreign.settimeout(0)
        address = f"127.0.0.1:{foreign.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
            monkeypatch.delenv(name)
        done = subprocess.run([sys.executable, "-c", CONNECT], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        cpus, joined = done.stdout.split()
        assert int(cpus) > 0
        assert joined != address
        with pytest.raises(BlockingIOError):
            foreign.accept()


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "ray://head.example:10001"])
def test_a_cluster_on_the_network_without_a_token_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody is called there; with a token, or at the user's word, that is what happens next."""
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setattr(connection.socket, "create_connection", _nobody)
    planned = plan(1)
    with pytest.raises(InvalidInput, match="or say --insecure"):
        _run(planned, tmp_path, address)
    with pytest.raises(InvalidInput, match="nobody answers"):
        _run(planned, tmp_path, address, insecure=True)
    with pytest.raises(InvalidInput, match="nobody answers"):
        _run(planned, tmp_path, "127.0.0.1:6379")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(InvalidInput, match="nobody answers"):
        _run(planned, tmp_path, address)


def _run(planned: Plan, folder: Path, address: str, insecure: bool = False) -> None:
    agenda = runner.agenda(planned, Store(folder))
    cluster.run(agenda, Places(folder), Silent(), planned.resources, address, insecure=insecure)


def _nobody(*arguments: object, **options: object) -> None:
    raise ConnectionRefusedError

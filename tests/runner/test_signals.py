"""Ending a run from outside: Ctrl-C once and twice, SIGTERM and SIGUSR1. Nothing of it is left, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from chaos import Chaos, processes_of, until

from mgsweep.runner import stopping
from mgsweep.runner.stopping import Stop

INTERRUPTED, RESUMABLE, FAILED = 130, 75, 1


def ended(process: subprocess.Popen[str], timeout: float) -> tuple[int, str]:
    output, _ = process.communicate(timeout=timeout)
    return process.returncode, output


def nothing_is_left_of(process: subprocess.Popen[str], chaos: Chaos) -> None:
    until(lambda: not processes_of(process.pid), 15)
    until(lambda: not any(chaos.store.is_held(trial.id) for trial in chaos.plan.trials), 15)


@pytest.mark.parametrize(
    ("number", "code", "arguments"),
    [
        # On Ray also by `test_ctrl_c_stops_cleanly_and_resumes`.
        pytest.param(signal.SIGINT, INTERRUPTED, (), id="f16 SIGINT", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, RESUMABLE, (), id="f13 SIGTERM", marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, RESUMABLE, (), id="f13 SIGUSR1", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, INTERRUPTED, ("--local",), id="f16 SIGINT local"),
        pytest.param(signal.SIGTERM, RESUMABLE, ("--local",), id="f13 SIGTERM local"),
        pytest.param(signal.SIGUSR1, RESUMABLE, ("--local",), id="f13 SIGUSR1 local", marks=pytest.mark.slow),
    ],
)
def test_f13_f16_every_running_epoch_is_ended(tmp_path: Path, number: int, code: int, arguments: tuple[str]) -> None:
    chaos = Chaos(tmp_path, epochs=6, delay=0.3)
    with chaos.begun(*arguments) as process:
        chaos.wait_for(2)
        process.send_signal(number)
        returned, output = ended(process, 60)
        nothing_is_left_of(process, chaos)
    assert returned == code, output
    assert "every finished epoch is kept. Resume: mgsweep run" in " ".join(output.split())
    assert "stopping at the end of the running epochs" in output
    assert "Traceback" not in output
    assert chaos.store.failures() == {}
    begun = [trial for trial in chaos.plan.trials if chaos.replay.attempts(trial)]
    chaos.delay = 0
    chaos.settle("--local")
    said = chaos.replay.acknowledged()
    trained = {line for line in said if line[2] == "val"}
    assert len([line for line in said if line[2] == "val"]) == len(trained), "an epoch was trained twice"
    assert len(begun) < len(chaos.plan.trials)


@pytest.mark.parametrize("arguments", [pytest.param((), id="ray"), ("--local",)], ids=str)
def test_f17_ctrl_c_twice_leaves_at_once(tmp_path: Path, arguments: tuple[str]) -> None:
    """In the midst of an epoch that would take a minute."""
    chaos = Chaos(tmp_path, delay=60)
    with chaos.begun(*arguments) as process:
        until(lambda: chaos.replay.attempts(chaos.plan.trials[0]), 100)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        returned, output = ended(process, 20)
        took = time.monotonic() - begun
        nothing_is_left_of(process, chaos)
    assert returned == INTERRUPTED, output
    assert took < 10, "two seconds on a machine that is not busy"
    chaos.delay = 0
    chaos.settle(*arguments)  # on Ray again, as that removes what Ray left


def test_f14_a_grace_shorter_than_an_epoch(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, delay=60)
    with chaos.begun("--local", "--grace", "1") as process:
        until(lambda: chaos.replay.attempts(chaos.plan.trials[0]), 60)
        process.send_signal(signal.SIGTERM)
        returned, output = ended(process, 20)
        nothing_is_left_of(process, chaos)
    assert returned == RESUMABLE, output
    assert "within 1 s" in output
    chaos.delay = 0
    chaos.settle("--local")


def last_resorts(stop: Stop, *numbers: int, grace: float = 0.2) -> list[int]:
    """With which exit codes a process is left that gets signals, one every 50 ms, in an epoch of half a second."""
    left: list[int] = []
    with stopping.signals(stop, grace, lambda text: None, left.append):
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.05)
        time.sleep(0.5)
    return left


def test_a_signal_to_go_has_a_last_resort_whatever_was_asked_before() -> None:
    """As --until, which falls on the same second in a Slurm job."""
    assert last_resorts(Stop(), signal.SIGINT) == []
    assert last_resorts(Stop(), signal.SIGINT, signal.SIGTERM, signal.SIGUSR1) == [INTERRUPTED]
    late = Stop()
    late.ask("--until is reached", RESUMABLE, grace=60)
    assert last_resorts(late, signal.SIGUSR1) == [RESUMABLE]


def test_until_has_a_last_resort_too() -> None:
    """In one process nobody looks at the clock before the epoch ends."""
    late = Stop(time.time() + 0.1)
    assert last_resorts(late) == [FAILED]
    assert late.reason == "--until is reached"
    late = Stop(time.time() + 0.1)
    late.trained = True
    assert last_resorts(late) == [RESUMABLE]
    assert last_resorts(Stop(time.time() + 100)) == []
    assert last_resorts(Stop(1e15)) == [], "later than a timer can wait"


def test_a_last_resort_ends_with_the_run() -> None:
    left: list[int] = []
    with stopping.signals(Stop(time.time()), 0.1, lambda text: None, left.append):
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
    assert left == []


@pytest.mark.slow
def test_f11_the_whole_tree_is_killed(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, epochs=6, delay=0.3)
    with chaos.begun() as process:
        chaos.wait_for(2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        nothing_is_left_of(process, chaos)
    chaos.delay = 0
    chaos.settle()

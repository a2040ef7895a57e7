"""Workers that die, hang, are stopped or told to go, under Ray: one run of simulated trials that meet it all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from chaos import Chaos, expected_rows

from mgsweep.runner.retry import ANSWERS
from mgsweep.trial import Trial

Met = tuple[Chaos, subprocess.CompletedProcess[str]]

TIMEOUT = "resources: {timeout: 4}"


def guided(chaos: Chaos, number: int) -> Trial:
    return [trial for trial in chaos.plan.trials if trial.guided][number]


def with_mishaps(folder: Path, *mishaps: dict[str, object]) -> Chaos:
    """A sweep of one guided trial for each mishap, and one that meets none."""
    chaos = Chaos(folder, families=1, children=len(mishaps) + 1, extra=TIMEOUT)
    chaos.mishaps = {guided(chaos, number).id: mishap for number, mishap in enumerate(mishaps)}
    return chaos


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Met:
    """What makes a worker go once: it is tried again and ends well."""
    kinds = ("kill", "stop", "term")
    chaos = with_mishaps(tmp_path_factory.mktemp("met"), *({"kind": kind, "times": 1} for kind in kinds))
    return chaos, chaos.run()


def causes(chaos: Chaos, number: int) -> list[str]:
    return [failure["cause"] for failure in chaos.store.attempts().get(guided(chaos, number).id, [])]


def test_all_ends_well_with_the_rows_of_an_undisturbed_run(met: Met) -> None:
    chaos, done = met
    assert done.returncode == 0, done.stdout + done.stderr
    chaos.check()
    assert "Traceback" not in done.stdout + done.stderr


def test_f01_a_worker_killed_in_an_epoch(met: Met) -> None:
    chaos, done = met
    assert causes(chaos, 0) == ["died"]
    assert chaos.replay.attempts(guided(chaos, 0)) == 2
    assert f"again    {guided(chaos, 0).id}" in done.stdout
    (failure,) = chaos.store.attempts()[guided(chaos, 0).id]
    assert {"error", "traceback", "host", "log"} <= failure.keys()


def test_f20_a_worker_that_is_stopped_is_killed_in_time(met: Met) -> None:
    chaos, _ = met
    assert causes(chaos, 1) == ["timeout"]
    (failure,) = chaos.store.attempts()[guided(chaos, 1).id]
    assert "no epoch for 0.1 min: killed as hung; if one may take so long, raise resources.timeout" in failure["error"]
    assert chaos.replay.attempts(guided(chaos, 1)) == 2


def test_f15_a_worker_that_is_told_to_go_ends_its_epoch_first(met: Met) -> None:
    chaos, _ = met
    assert causes(chaos, 2) == ["preempted"]
    ours = [line for line in chaos.replay.acknowledged() if line[0] == guided(chaos, 2).id]
    assert len(ours) == len(set(ours)), "an epoch was trained twice"


@pytest.mark.slow
def test_f19_f22_f26_f28_what_happens_every_time_has_an_end(tmp_path: Path) -> None:
    """Each as often as the table allows, the others undisturbed; and then the next run finds nothing to do."""
    kinds = {"hang": "timeout", "segfault": "died", "bug": "bug", "memory": "memory", "diverged": "diverged"}
    chaos = with_mishaps(tmp_path, *({"kind": kind} for kind in kinds))
    done = chaos.run()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "5 failed" in done.stdout
    for number, cause in enumerate(kinds.values()):
        expected = 4 if cause == "memory" else 1 + int(ANSWERS[cause].again)
        assert causes(chaos, number) == [cause] * expected
    rows = chaos.store.frame()
    for trial in (chaos.plan.trials[0], guided(chaos, len(kinds))):
        expected_rows(trial, rows[rows.id == trial.id])
    again = chaos.run()
    assert again.returncode == 1
    assert "7 trials: 2 done, 5 failed, 0 to run" in again.stdout

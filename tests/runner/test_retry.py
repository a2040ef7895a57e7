"""What follows a failure, by cause: the table itself, and runs in this process of trials that fail in each way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from replay import Mishap, Replay, plan

from mgsweep import runner
from mgsweep.plan import Plan
from mgsweep.plan.schema import Resources
from mgsweep.runner import Outcome, Places, local
from mgsweep.runner.retry import ANSWERS, RETRIABLE, Share, alike, given_up, ladder, share
from mgsweep.store import Store
from mgsweep.trial import Trial

# cause -> how many attempts may follow over all runs, and whether a later run tries by itself when they are used up
EXPECTED = {
    "preempted": (math.inf, True),
    "lost": (math.inf, True),
    "died": (3, False),
    "memory": (math.inf, False),  # as far as the ladder goes
    "timeout": (1, False),
    "disk": (0, True),
    "damaged": (0, True),
    "diverged": (0, False),
    "bug": (0, False),
}

TRIAL = Trial(dataset="shapes", model="bcos", batch_size=64)


def test_the_table() -> None:
    assert {cause: (answer.again, answer.later) for cause, answer in ANSWERS.items()} == EXPECTED
    assert RETRIABLE == ("died", "memory", "timeout", "diverged", "bug")


@pytest.mark.parametrize("cause", [cause for cause, (again, _) in EXPECTED.items() if again < math.inf])
def test_limits_are_kept_and_causes_counted_apart(cause: str) -> None:
    again, later = EXPECTED[cause]
    for count in range(1, 6):
        causes = ["lost", *[cause] * count, "preempted"]
        assert given_up(TRIAL, Resources(), causes) == (count > again)
        assert given_up(TRIAL, Resources(), causes, later=True) == (count > again and not later)
    assert not given_up(TRIAL, Resources(), ["lost"] * 100)


def test_memory_is_answered_by_smaller_micro_batches_and_then_a_bigger_share() -> None:
    assert ladder(TRIAL, Resources(gpu=0.25)) == [
        Share(None, 0.25), Share(32, 0.25), Share(16, 0.25), Share(8, 0.25), Share(8, 0.5), Share(8, 1.0),
    ]  # fmt: skip
    assert ladder(TRIAL, Resources()) == [Share(None, 0), Share(32, 0), Share(16, 0), Share(8, 0)]
    assert ladder(TRIAL.model_copy(update={"batch_size": 3}), Resources(gpu=1)) == [
        Share(None, 1), Share(2, 1), Share(1, 1),
    ]  # fmt: skip
    assert ladder(TRIAL.model_copy(update={"batch_size": 1}), Resources(gpu=1)) == [Share(None, 1)]
    given = Resources(gpu=1, micro_batch=16, checkpoint_stages=True)
    assert ladder(TRIAL, given) == [Share(16, 1, True), Share(8, 1, True)]
    assert [rung.memory for rung in ladder(TRIAL, Resources())][:2] == [{}, {"micro_batch": 32}]
    assert ladder(TRIAL, given)[0].memory == {"micro_batch": 16, "checkpoint_stages": True}
    for failures, expected in enumerate(ladder(TRIAL, Resources(gpu=0.5))):
        causes = ["memory"] * failures + ["died"]
        assert share(TRIAL, Resources(gpu=0.5), causes) == expected
        assert not given_up(TRIAL, Resources(gpu=0.5), causes)
    assert given_up(TRIAL, Resources(gpu=0.5), ["memory"] * len(ladder(TRIAL, Resources(gpu=0.5))))


# In this process


class Heard:
    """A listener that remembers how attempts ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []

    def started(self, trial: Trial) -> None: ...
    def progressed(self, trial: Trial, row: dict[str, Any]) -> None: ...
    def finished(self, trial: Trial) -> None: ...
    def failed(self, trial: Trial, error: str) -> None:
        self.ends.append(("failed", error))

    def repeated(self, trial: Trial, error: str) -> None:
        self.ends.append(("repeated", error))

    def left(self, trial: Trial) -> None:
        self.ends.append(("left", ""))


class Case:
    """A plan in a store, of whose trials some meet a mishap."""

    def __init__(self, folder: Path, planned: Plan, mishaps: dict[int, Mishap]) -> None:
        self.plan, self.store, self.heard = planned, Store(folder / "store"), Heard()
        self.training = Replay(folder, mishaps={planned.trials[n].id: mishap for n, mishap in mishaps.items()})

    def run(self, retry: tuple[str, ...] = ()) -> Outcome | None:
        agenda = runner.agenda(self.plan, self.store, retry)
        if not agenda.to_run:
            return None
        self.store.begin(self.plan.text, self.plan.trials)
        return local.run(agenda, Places(self.store.path), self.heard, self.plan.resources, self.training)

    def attempts(self, number: int) -> int:
        return self.training.attempts(self.plan.trials[number])


def test_f26_f27_out_of_memory_fits_in_a_smaller_micro_batch(tmp_path: Path) -> None:
    """64 images do not fit, nor do 32; 16 do. The epoch before is not trained again."""
    case = Case(tmp_path, plan(3), {1: Mishap("memory", epoch=3, fits=16)})
    assert case.run() == Outcome(3, 0, 0, 0)
    assert case.attempts(1) == 3
    assert [kind for kind, _ in case.heard.ends] == ["repeated", "repeated"]
    said = case.training.acknowledged()
    assert len(said) == len(set(said))
    failures = case.store.attempts()[case.plan.trials[1].id]
    assert [(failure["attempt"], failure["cause"]) for failure in failures] == [(1, "memory"), (2, "memory")]
    for failure in failures:
        assert {"error", "traceback", "host", "pid", "log"} <= failure.keys()
        assert "resumed from epoch 2" in Path(failure["log"]).read_text()
    assert case.run() is None


def test_f26_what_fits_nowhere_ends(tmp_path: Path) -> None:
    case = Case(tmp_path, plan(2), {1: Mishap("memory")})
    assert case.run() == Outcome(1, 1, 0, 0)
    assert case.attempts(1) == 4
    assert case.run() is None
    assert case.run(("bug",)) is None
    assert case.run(("memory",)) == Outcome(0, 1, 0, 0)
    assert case.attempts(1) == 8


@pytest.mark.parametrize("kind", ["bug", "diverged"])
def test_f22_f24_f25_what_would_happen_again_is_not_repeated(tmp_path: Path, kind: str) -> None:
    case = Case(tmp_path, plan(3), {1: Mishap(kind)})
    assert case.run() == Outcome(2, 1, 0, 0)
    assert case.attempts(1) == 1
    assert case.run() is None
    assert case.run((kind,)) == Outcome(0, 1, 0, 0)
    assert case.attempts(1) == 2


def test_f23_a_bug_that_was_mended_is_run_again_at_the_users_word(tmp_path: Path) -> None:
    case = Case(tmp_path, plan(3), {0: Mishap("bug", times=1)})
    assert case.run() == Outcome(0, 1, 2, 0)
    assert case.run() is None
    assert case.run(("all",)) == Outcome(3, 0, 0, 0)
    assert len(case.store.attempts()[case.plan.trials[0].id]) == 1


def test_attempts_count_over_all_runs(tmp_path: Path) -> None:
    """A worker that died three times in earlier runs is given one more attempt, not four."""
    case = Case(tmp_path, plan(2), {})
    trial = case.plan.trials[1]
    for _ in range(3):
        case.store.fail(trial.id, {"cause": "died", "error": "killed"})
    assert trial in runner.agenda(case.plan, case.store).to_run
    case.store.fail(trial.id, {"cause": "died", "error": "killed"})
    assert runner.agenda(case.plan, case.store).failed == {trial.id}
    assert trial in runner.agenda(case.plan, case.store, ["died"]).to_run


def test_equal_bugs_stop_the_run_with_their_message(tmp_path: Path) -> None:
    """Not before the third in a row: a trial that ends well in between says that it is not the same everywhere."""
    bugs = {number: Mishap("bug") for number in (1, 2, 4, 5, 6, 8)}
    case = Case(tmp_path, plan(12, children=11), bugs)
    outcome = case.run()
    assert outcome
    assert (outcome.finished, outcome.failed, outcome.unfinished, outcome.code) == (2, 5, 5, 1)
    assert outcome.broken
    assert outcome.stopped == "3 trials failed one after the other by the same bug: ValueError: a simulated bug"


def test_different_bugs_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(tmp_path, plan(10), {number: Mishap(("bug", "diverged")[number % 2]) for number in range(1, 6)})
    outcome = case.run()
    assert outcome
    assert (outcome.finished, outcome.failed) == (5, 5)


def test_the_same_bug_is_known_whatever_numbers_it_says() -> None:
    said = {alike(f"ValueError: trial {trial} of 1{n} images") for n, trial in enumerate(["0123456789ab"] * 3)}
    assert said == {"ValueError: trial # of # images"}

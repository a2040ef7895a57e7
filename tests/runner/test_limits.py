"""--until and --budget: how they are read, what they count, that nothing goes on beyond them, and what then is next."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chaos import Silent
from replay import SECONDS, Replay, plan

from mgsweep import runner
from mgsweep.errors import InvalidInput
from mgsweep.runner import Outcome, Places, local
from mgsweep.runner.dispatch import Dispatch
from mgsweep.runner.limits import Limits, Timings, limits
from mgsweep.runner.stopping import FAILED, ORDERLY, RESUMABLE, Stop
from mgsweep.store import Store
from mgsweep.trial import Trial

HOUR = 3600.0
EPOCH = 2 * SECONDS
"""What a simulated epoch claims to have taken, training and validation, in seconds."""

BASELINE = 3 * EPOCH + SECONDS  # three epochs, the test of the best
"""What a simulated baseline of three epochs claims to have taken, in seconds."""


def run(store: Store, allowed: Limits, count: int = 6, epochs: int = 3, most: int = 10**9) -> Outcome:
    """Run `count` trials; the batch system takes the machine away after `most` epochs of one of them."""
    planned, stop = plan(count, epochs=epochs, children=0), Stop(allowed.until)
    agenda = runner.agenda(planned, store)
    store.begin(planned.text, planned.trials)
    listener = Taken(stop, most)
    return local.run(agenda, Places(store.path), listener, planned.resources, Replay(), stop, allowed)


class Taken(Silent):
    def __init__(self, stop: Stop, most: int) -> None:
        self._stop, self._most = stop, most

    def progressed(self, trial: Trial, row: dict[str, Any]) -> None:
        if row["epoch"] >= self._most:
            self._stop.ask("taken", RESUMABLE)


def dispatch_of(store: Store, allowed: Limits, count: int = 4, epochs: int = 10) -> Dispatch:
    """A driver's side, without workers."""
    planned = plan(count, epochs=epochs, children=0)
    return Dispatch(runner.agenda(planned, store), store, planned.resources, Silent(), limits=allowed)


def take(dispatch: Dispatch, *epochs: float) -> Trial:
    """The next trial, taken up by a worker, that has done epochs of so many seconds."""
    attempt = dispatch.next()
    assert attempt
    dispatch.begun(attempt.trial)
    for number, seconds in enumerate(epochs, 1):
        dispatch.progressed(attempt.trial, {"epoch": number, "seconds": seconds, "published": False})
    return attempt.trial


def test_what_the_user_writes() -> None:
    assert limits(None, None) == Limits()
    assert not limits(None, None).given
    assert limits(None, "40h") == limits(None, "40") == Limits(gpu_hours=40)
    soon = datetime.datetime.now() + datetime.timedelta(hours=1)
    assert limits(soon.isoformat(), None).until == pytest.approx(soon.timestamp())
    assert limits(str(int(soon.timestamp())), None).until == int(soon.timestamp())
    assert limits(soon.isoformat(), None, 25).grace == 25
    assert limits("24:00", None) == limits("0:00", None)
    for minutes in (-10, 10):
        moment = datetime.datetime.now() + datetime.timedelta(minutes=minutes)
        ahead = limits(f"{moment:%H:%M}", None).until - time.time()
        assert ahead == pytest.approx(60 * minutes + (86400 if minutes < 0 else 0), abs=61)


@pytest.mark.parametrize(
    ("until", "budget", "said"),
    [
        ("soon", None, "--until: expected a time such as"),
        ("18:75", None, "--until: expected a time such as .*, got '18:75'"),
        ("25:10", None, "--until: expected a time such as"),
        ("1795631934000", None, "--until: expected a time such as"),
        ("9" * 5000, None, "--until: expected a time such as"),
        ("2020-01-01T00:00", None, "--until: 2020-01-01 00:00 is over"),
        (None, "much", "--budget: expected GPU hours such as 40h, got 'much'"),
        (None, "0h", "--budget: expected GPU hours"),
    ],
)
def test_what_cannot_be_meant(until: str | None, budget: str | None, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        limits(until, budget)


def test_a_budget_holds_over_all_runs_and_nothing_begins_that_would_not_fit(tmp_path: Path) -> None:
    """And no job is queued again for it: the budget will not hold more then."""
    store = Store(tmp_path)
    allowed = Limits(gpu_hours=3.5 * BASELINE / HOUR)
    outcome = run(store, allowed)
    assert (outcome.finished, outcome.unfinished, outcome.code) == (3, 3, FAILED)
    assert "--budget" in outcome.stopped
    again = run(Store(tmp_path), allowed)
    assert (again.finished, again.unfinished, again.code) == (0, 3, FAILED), "the budget began anew"
    assert run(store, Limits(gpu_hours=10 * BASELINE / HOUR)).finished == 3


def test_a_budget_counts_the_epochs_that_are_done_once(tmp_path: Path) -> None:
    """As spent, not also as still to come."""
    store = Store(tmp_path)
    allowed = Limits(gpu_hours=22 * EPOCH / HOUR)
    assert run(store, allowed, count=1, epochs=20, most=18).unfinished == 1
    assert run(store, allowed, count=1, epochs=20).finished == 1


def test_a_budget_that_is_used_up_ends_what_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    allowed = Limits(gpu_hours=2.5 * EPOCH / HOUR)
    outcome = run(store, allowed, count=2, epochs=50)
    assert (outcome.unfinished, outcome.code) == (2, FAILED)
    assert "used up" in outcome.stopped
    assert list(store.reached().values()) == [3]
    assert run(store, allowed, count=2, epochs=50).code == FAILED
    assert list(store.reached().values()) == [3]


def test_what_a_budget_did_not_hold_is_offered_again(tmp_path: Path) -> None:
    """When one that ran has ended, by early stopping: then there is more left than was put by for it."""
    dispatch = dispatch_of(Store(tmp_path), Limits(gpu_hours=125 / HOUR), count=3)
    first = take(dispatch, 10.0)
    assert dispatch.next() is None
    assert not dispatch.over
    dispatch.cut(first)
    second = take(dispatch, 10.0)
    assert dispatch.next() is None, "another whole one does not fit beside it"
    dispatch.cut(second)
    assert take(dispatch) not in (first, second)
    assert not dispatch.stop.asked


def test_a_budget_counts_what_another_driver_used_meanwhile(tmp_path: Path) -> None:
    """Of what it has finished, and of what it has stopped early."""
    store = Store(tmp_path)
    late = dispatch_of(store, Limits(gpu_hours=2.5 * BASELINE / HOUR), count=4, epochs=3)
    assert run(Store(tmp_path), Limits(), count=1).finished == 1
    assert run(Store(tmp_path), Limits(), count=2, epochs=3, most=1).unfinished == 1
    begun = plan(2, epochs=3, children=0).trials[1]
    store.stop(begun.id)
    assert take(late) not in plan(2, epochs=3, children=0).trials
    assert late._account.hours * HOUR == pytest.approx(BASELINE + EPOCH)
    assert late.next() is None, "with the one that runs they have used it up"


def test_what_is_counted_of_a_trial_counts_once(tmp_path: Path) -> None:
    """Its first epochs were trained here, its others elsewhere."""
    (trial,) = plan(1, epochs=3, children=0).trials
    timings = Timings()
    timings.add(trial, EPOCH, 1)
    run(Store(tmp_path), Limits(), count=1)
    for _ in range(2):
        timings.read(Store(tmp_path).rows(trial.id))
        assert timings.spent == BASELINE
        assert timings.epoch(trial) == BASELINE / 3


def test_a_damaged_record_is_trained_again_and_the_budget_has_to_hold_it(tmp_path: Path) -> None:
    store, allowed = Store(tmp_path), Limits(gpu_hours=1.5 * BASELINE / HOUR)
    assert run(store, Limits(), count=2).finished == 2
    record = tmp_path / "trials" / f"{plan(2, children=0).trials[0].id}.parquet"
    content = bytearray(record.read_bytes())
    content[200] ^= 1
    record.write_bytes(content)
    outcome = run(Store(tmp_path), allowed, count=2)
    assert (outcome.finished, outcome.unfinished) == (0, 1)
    assert "does not hold what is left" in outcome.stopped


def test_a_trial_longer_than_any_job_gets_done(tmp_path: Path) -> None:
    """Each run has time for six of its twenty epochs, and ends with the code for being queued again."""
    store = Store(tmp_path)
    for safe in (6, 12, 18):
        outcome = run(store, Limits(until=time.time() + 6.5 * EPOCH), count=1, epochs=20, most=safe)
        assert (outcome.unfinished, outcome.code) == (1, RESUMABLE)
        assert list(store.reached().values()) == [safe]
    assert run(store, Limits(until=time.time() + 6.5 * EPOCH), count=1, epochs=20).finished == 1


def test_no_epoch_begins_that_would_end_too_late(tmp_path: Path) -> None:
    """Of a trial that runs, too. A run without time for a single one would find none again: it is not queued again."""
    store = Store(tmp_path)
    late = run(store, Limits(until=time.time() + 0.9 * EPOCH), epochs=5)
    assert (late.finished, late.unfinished, late.code) == (0, 6, RESUMABLE)
    assert late.stopped == "--until is too near for another epoch"
    assert list(store.reached().values()) == [1]
    again = run(store, Limits(until=time.time() + 0.9 * EPOCH), epochs=5)
    assert (again.unfinished, again.code) == (6, FAILED)
    assert list(store.reached().values()) == [1]
    assert run(store, Limits(until=time.time() + 10 * EPOCH), epochs=5).finished == 6


def test_until_is_reached_while_an_epoch_runs(tmp_path: Path) -> None:
    """One that takes longer than was known may end, for as long as the grace lasts."""
    dispatch = dispatch_of(Store(tmp_path), Limits(until=time.time() + 0.2, grace=0.3 + ORDERLY))
    trial = take(dispatch)
    assert not dispatch.is_to_end()
    time.sleep(0.3)
    assert dispatch.is_to_end()
    assert dispatch.leaves(trial)
    assert not dispatch.stop.overdue
    time.sleep(0.3)
    assert dispatch.stop.overdue


def test_a_run_that_had_no_time_for_an_epoch_is_not_queued_again(tmp_path: Path) -> None:
    """One that ends within the grace is enough. A signal at the same moment changes nothing; one before does."""
    over = run(Store(tmp_path), Limits(until=time.time() - 1))
    assert (over.finished, over.stopped, over.code) == (0, "--until is reached", FAILED)
    dispatch = dispatch_of(Store(tmp_path), Limits(until=time.time() + 0.1))
    trial = take(dispatch)
    time.sleep(0.1)
    assert dispatch.is_to_end()
    assert dispatch.outcome().code == FAILED
    dispatch.progressed(trial, {"epoch": 1, "seconds": 1.0, "published": False})
    assert dispatch.outcome().code == RESUMABLE
    for until, code in ((time.time() + 100, RESUMABLE), (time.time(), FAILED)):
        stop = Stop(until)
        stop.ask("stopped by SIGUSR1", RESUMABLE)
        assert stop.code == code


def test_what_waits_for_a_free_worker_is_looked_at_again(tmp_path: Path) -> None:
    """It was handed out before anything was known of the time it takes."""
    dispatch = dispatch_of(Store(tmp_path), Limits(until=time.time() + 50))
    runs, waits = take(dispatch), dispatch.next()
    assert waits
    assert not dispatch.withdraws(waits.trial)
    dispatch.progressed(runs, {"epoch": 1, "seconds": 100.0, "published": False})
    assert dispatch.leaves(runs)
    assert dispatch.withdraws(waits.trial)
    dispatch.left(runs)
    dispatch.left(waits.trial)
    assert dispatch.next() is None
    assert dispatch.over
    assert (dispatch.outcome().unfinished, dispatch.outcome().code) == (4, RESUMABLE)


def test_of_those_that_wait_as_many_begin_as_the_budget_holds(tmp_path: Path) -> None:
    dispatch = dispatch_of(Store(tmp_path), Limits(gpu_hours=2.5))
    first, waiting = take(dispatch), [dispatch.next(), dispatch.next()]
    dispatch.progressed(first, {"epoch": 1, "seconds": HOUR / 10, "published": False})
    second, third = (attempt.trial for attempt in waiting if attempt)
    assert not dispatch.withdraws(second)
    dispatch.begun(second)
    assert dispatch.withdraws(third)


def test_tune_is_asked_to_end_what_does_not_fit(tmp_path: Path) -> None:
    """It starts what waits without asking for it, and hears of an epoch before it decides what is next."""
    from mgsweep.runner.plan_on_tune import Order, PlanSearcher

    dispatch = dispatch_of(Store(tmp_path), Limits(until=time.time() + 50))
    searcher = PlanSearcher(dispatch, at_once=10)
    assert searcher.suggest("runs")
    assert searcher.suggest("waits")
    dispatch.begun(searcher.trials["runs"])
    runs, waits = Tunes("runs", "RUNNING"), Tunes("waits", "PENDING")
    order, controller = Order(searcher, dispatch), Controller([runs, waits])
    order.choose_trial_to_run(controller)
    assert controller.stopped == []
    assert order.on_trial_result(controller, runs, {"epoch": 1, "seconds": 9.0}) == "CONTINUE"
    assert order.on_trial_result(controller, runs, {"epoch": 2, "seconds": 999.0}) == "STOP"
    order.choose_trial_to_run(controller)
    assert controller.stopped == [waits]


@dataclass(frozen=True)
class Tunes:
    """A trial of Tune's."""

    trial_id: str
    status: str


@dataclass
class Controller:
    """What of Tune's loop is asked."""

    trials: list[Tunes]
    stopped: list[Tunes] = field(default_factory=list)

    def get_trials(self) -> list[Tunes]:
        return self.trials

    def get_live_trials(self) -> list[Tunes]:
        return self.trials

    def stop_trial(self, trial: Tunes) -> None:
        self.stopped.append(trial)


def test_an_attempt_hangs_by_the_epochs_that_are_known(tmp_path: Path) -> None:
    """Not in its first hours: the first epoch of a run decodes the data, too."""
    dispatch = dispatch_of(Store(tmp_path), Limits())
    trial = take(dispatch)
    dispatch.running[trial.id].since -= 23 * HOUR
    assert dispatch.overdue() == []
    dispatch.running[trial.id].since -= 2 * HOUR
    assert [late for late, _ in dispatch.overdue()] == [trial]
    for epoch in (1, 2):
        dispatch.progressed(trial, {"epoch": epoch, "seconds": 1.0, "published": False})
    assert dispatch.overdue() == []
    dispatch.running[trial.id].since -= 1.1 * HOUR
    assert dispatch.overdue() == [(trial, pytest.approx(1.1 * HOUR, abs=60))]

"""Two drivers on one store: they share the work, whoever is killed or stopped, and no row is there twice."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from chaos import Chaos, Silent, until
from replay import Replay, plan

from mgsweep import runner
from mgsweep.runner import Places, dispatch
from mgsweep.runner.dispatch import Dispatch
from mgsweep.runner.execution import execute
from mgsweep.store import Busy, Store, leases


def epochs_trained(chaos: Chaos) -> Counter[tuple[str, int]]:
    return Counter((trial, epoch) for trial, epoch, split in chaos.replay.acknowledged() if split == "val")


@pytest.mark.parametrize("how", [("--local",), pytest.param((), marks=pytest.mark.slow)], ids=["local", "ray"])
def test_f40_two_drivers_share_the_work(tmp_path: Path, how: tuple[str, ...]) -> None:
    # On Ray a slot that finds a trial taken starts a new worker, for seconds: trials must be longer than that.
    chaos = Chaos(tmp_path, delay=0.1 if "--local" in how else 3.0, epochs=4)
    with chaos.begun(*how) as one, chaos.begun(*how) as other:
        outputs = [process.communicate(timeout=250)[0] for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    chaos.check()
    assert max(epochs_trained(chaos).values()) == 1, "an epoch was trained by both"
    assert all("done     " in output for output in outputs), "one of them did nothing"
    # On Ray both may tell of one that the other has done while it waited for a slot.
    told = {line.split()[1] for output in outputs for line in output.splitlines() if line.startswith("done     ")}
    assert told == {trial.id for trial in chaos.plan.trials}


def test_f40_f09_the_other_takes_over_what_a_killed_driver_had(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, delay=0.2, epochs=4)
    with chaos.begun("--local") as one, chaos.begun("--local") as other:
        chaos.wait_for(4)
        until(lambda: len([trial for trial in chaos.plan.trials if chaos.store.is_held(trial.id)]) == 2)
        one.send_signal(signal.SIGKILL)
        output, _ = other.communicate(timeout=200)
    assert other.returncode == 0, output
    chaos.check()
    assert sum(count - 1 for count in epochs_trained(chaos).values()) <= 1, "more than the epoch under way was lost"


def attempt_at(store: Store, training: Replay, over: int = 0) -> Any:
    trial = plan(1, epochs=4).trials[0]
    return execute(trial, Places(store.path), training=training, over=over)


def test_f21_f41_a_zombie_writes_no_more(tmp_path: Path) -> None:
    """Its trial was taken over while it was stopped: it finds out at its next epoch, and writes nothing of it."""
    store, training = Store(tmp_path / "store"), Replay(tmp_path)
    zombie = attempt_at(store, training)
    next(zombie)
    found = store.holder(plan(1, epochs=4).trials[0].id)
    assert found
    replacement = attempt_at(store, training, over=found.number)
    assert next(replacement)["epoch"] == 2, "what the zombie had acknowledged is gone"
    before = {file: file.read_bytes() for file in store.path.rglob("*") if file.is_file() and file.suffix != ".log"}
    with pytest.raises(Busy):
        next(zombie)
    assert before == {file: file.read_bytes() for file in before}
    assert store.failures() == {}
    list(replacement)
    assert len(store.frame()) == len(store.frame().drop_duplicates(["epoch", "split"])) == 9


def test_f21_a_zombie_that_comes_to_commit_finds_the_record(tmp_path: Path) -> None:
    """Between its last look and its commit nothing protects it but that the first record stays."""
    store = Store(tmp_path)
    trial = plan(1).trials[0]
    rows = [{"id": trial.id, "epoch": 1, "split": "val", "seconds": seconds} for seconds in (1.0, 2.0)]
    store.commit(trial.id, rows[:1])
    store.commit(trial.id, rows[1:])
    assert [row["seconds"] for row in store.rows(trial.id)] == [1.0]


def test_what_another_machine_has_is_left_alone_until_it_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, store = plan(3), Store(tmp_path / "store")
    now = [1000.0]
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: now[0])
    first = planned.trials[0]
    with ExitStack() as stack:
        lease = stack.enter_context(store.lease(first.id))
        assert lease
        file = next(store.path.glob(f"running/{first.id}/lease.*"))
        file.write_text(file.read_text().replace(leases.kernel(), "of another machine"))
        work = Dispatch(runner.agenda(planned, store), store, planned.resources, Silent())
        assert work.next() is None, "its children wait for it, and it is not ours"
        assert not work.over
        for _ in range(20):
            now[0] += 2.5
            assert work.next() is None
        now[0] += leases.STALE
        attempt = work.next()
        assert attempt
        assert (attempt.trial, attempt.over) == (first, 1)


def test_what_another_driver_has_done_frees_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned, store = plan(2), Store(tmp_path / "store")
    baseline, child = planned.trials
    monkeypatch.setattr(dispatch, "LOOK", 0.0)
    with store.lease(baseline.id):
        work = Dispatch(runner.agenda(planned, store), store, planned.resources, Silent())
        assert work.next() is None
    list(execute(baseline, Places(store.path), training=Replay()))
    work.next()
    attempt = work.next()
    assert attempt
    assert attempt.trial == child
    assert work.outcome().unfinished == 1


@pytest.mark.slow
def test_f41_a_driver_that_is_stopped_past_its_leases(tmp_path: Path) -> None:
    """The other waits for the stale lease, takes over; the stopped one goes on, finds out, and both end well."""
    chaos = Chaos(tmp_path, delay=0.2, epochs=4)
    with chaos.begun("--local") as one:
        chaos.wait_for(2)
        os.kill(one.pid, signal.SIGSTOP)
        with chaos.begun("--local") as other:
            until(lambda: "over" and len(chaos.store.finished()) == len(chaos.plan.trials), 200)
            output, _ = other.communicate(timeout=60)
            assert other.returncode == 0, output
        os.kill(one.pid, signal.SIGCONT)
        begun = time.monotonic()
        output, _ = one.communicate(timeout=60)
        assert one.returncode == 0, output
        assert time.monotonic() - begun < 30
    chaos.check()


def test_what_the_other_stopped_early_is_not_begun(tmp_path: Path) -> None:
    """This driver had looked before; and the third is one that the other was at when its turn came here."""
    store, planned = Store(tmp_path), plan(3, epochs=4, children=0)
    store.begin(planned.text, planned.trials)
    late = Dispatch(runner.agenda(planned, store), store, planned.resources, Silent())
    cut, begins, held = planned.trials
    with store.lease(held.id):
        store.stop(cut.id)
        attempt = late.next()
        assert attempt
        assert attempt.trial == begins
        assert late.next() is None
        store.stop(held.id)
    late._looked = -dispatch.LOOK
    assert late.next() is None
    assert (late.outcome().unfinished, late.stop.asked) == (1, False)

"""Order and dependencies of trials, checked against the plan by random walks."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from mgsweep.runner.schedule import Schedule
from mgsweep.trial import Trial


def family(baselines: int, children: int) -> list[Trial]:
    """Baselines and their children, parents first."""
    parents = [Trial(dataset="shapes", model="bcos", seed=seed) for seed in range(baselines)]
    guided = {"dataset": "shapes", "model": "bcos", "attribution": "bcos", "depth": "input", "loss": "energy"}
    return parents + [
        Trial(**guided, lambda_loc=1 + n, seed=parent.seed, parent=parent.id)
        for parent in parents
        for n in range(children)
    ]


@given(st.integers(1, 4), st.integers(0, 4), st.integers(1, 5), st.integers(0, 2**16))
def test_any_order_of_events(baselines: int, children: int, slots: int, seed: int) -> None:
    """Trials begin once, after their parent; a child of a failed parent never; all others end."""
    chance = random.Random(seed)
    trials = family(baselines, children)
    schedule = Schedule(trials)
    done: set[str] = set()
    failed: set[str] = set()
    begun: list[str] = []
    while not schedule.settled:
        while len(schedule.running) < slots and (trial := schedule.next()):
            assert trial.parent is None or trial.parent in done
            begun.append(trial.id)
        assert schedule.running, "nothing runs, nothing is ready, and yet it is not settled"
        trial = chance.choice(list(schedule.running.values()))
        ended_well = chance.random() < 0.7
        (schedule.finish if ended_well else schedule.fail)(trial)
        (done if ended_well else failed).add(trial.id)
    orphans = {trial.id for trial in trials if trial.parent in failed}
    assert len(begun) == len(set(begun))
    assert set(begun) == {trial.id for trial in trials} - orphans
    assert {trial.id for trial in schedule.blocked} == orphans
    assert schedule.unfinished == 0


def test_what_is_done_is_not_run_and_its_children_are_ready() -> None:
    trials = family(2, 2)
    schedule = Schedule(trials, done={trials[0].id})
    first = [schedule.next() for _ in range(3)]
    assert trials[0] not in first
    assert {trial.id for trial in first if trial} == {trials[1].id, trials[2].id, trials[3].id}
    assert schedule.next() is None
    assert schedule.unfinished == 5


def test_children_of_a_trial_that_failed_before_are_blocked() -> None:
    trials = family(1, 2)
    schedule = Schedule(trials, failed={trials[0].id})
    assert schedule.settled
    assert schedule.next() is None
    assert len(schedule.blocked) == 2

"""The study: what is asked follows from what is known."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hills import scores

from mgsweep.pareto import Goals
from mgsweep.plan import Plan, load
from mgsweep.search.curves import Curve, curve_of, limits_of
from mgsweep.search.study import SAMPLERS, Study
from mgsweep.trial import Trial

BOUND = "  constraints: {f1: 0.02}\n"
TEXT = """
common: {dataset: shapes, model: bcos, attribution: bcos, depth: final, backbone: resnet10, image_size: 32}
guided: {epochs: 3}
search:
  space:
    loss: [energy, l1]
    lambda_loc: {energy: {log: [1e-4, 1e-1]}, l1: {log: [1e-4, 1e-1]}}
    learning_rate: {log: [1e-5, 1e-3]}
  budget: {trials: 9}
  constraints: {f1: 0.02}
  sampler: %s
  seed: %d
"""
CELLS = (
    TEXT.split("search:")[0]
    + """
grids: [{loss: [energy, l1], lambda_loc: [1e-3, 1e-2], learning_rate: [1e-5, 1e-4, 1e-3]}]
search: {budget: {trials: 9}, sampler: %s, seed: %d}
"""
)


def plan_of(folder: Path, sampler: str = "tpe", seed: int = 0, text: str = TEXT) -> Plan:
    file = folder / "hunt.yaml"
    file.write_text(text % (sampler, seed))
    return load(file)


def study_of(plan: Plan) -> Study:
    assert plan.search
    assert plan.space
    return Study(plan.space, plan.search)


def curve(trial: Trial, bound: bool = True) -> Curve:
    points = [[scores(trial, epoch)[name] for name in ("f1", "epg")] for epoch in (1, 2, 3)]
    excess = np.array([[0.7 - f1] for f1, _ in points]) if bound else np.empty((3, 0))
    return Curve(np.arange(1, 4), np.array(points), excess)


def asked(study: Study, count: int, bound: bool = True) -> list[Trial]:
    found = []
    for _ in range(count):
        trial = study.ask()
        assert trial
        found.append(trial)
        study.tell(trial, curve(trial, bound))
    return found


@pytest.mark.parametrize(
    "sampler", [pytest.param(name, marks=pytest.mark.slow) if name == "gp" else name for name in (*SAMPLERS, "qmc")]
)
def test_the_same_seed_and_results_give_the_same_trials(tmp_path: Path, sampler: str) -> None:
    count = 24 if sampler != "gp" else 12
    one = asked(study_of(plan_of(tmp_path, sampler)), count)
    assert len({trial.id for trial in one}) == count
    assert asked(study_of(plan_of(tmp_path, sampler)), count) == one
    assert asked(study_of(plan_of(tmp_path, sampler, seed=1)), count) != one
    again = study_of(plan_of(tmp_path, sampler))
    for trial in one[:-2]:
        again.add(trial)
        again.tell(trial, curve(trial))
    assert asked(again, 2) == one[-2:], "a study made from records answers as the one that lived on"


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsga2", "grid"])
def test_cells_that_can_be_listed_are_each_tried_once(tmp_path: Path, sampler: str) -> None:
    plan = plan_of(tmp_path, sampler, text=CELLS)
    study = study_of(plan)
    found = asked(study, 12, bound=False)
    assert plan.space
    assert {trial.id for trial in found} == {trial.id for trial in plan.space.trials()}
    assert study.ask() is None
    if sampler == "grid":
        assert found == list(plan.space.trials())


def test_what_runs_is_known_and_what_is_outside_is_not(tmp_path: Path) -> None:
    study, other = study_of(plan_of(tmp_path)), study_of(plan_of(tmp_path, seed=3))
    pending = [study.ask() for _ in range(30)]
    assert len({trial.id for trial in pending if trial}) == 30
    (stranger,) = asked(other, 1)
    assert not study.add(stranger.model_copy(update={"lambda_loc": 7.0}))
    assert study.add(stranger)
    assert stranger in study


def test_tpe_learns_which_loss_is_better(tmp_path: Path) -> None:
    late = asked(study_of(plan_of(tmp_path)), 50)[25:]
    assert sum(trial.loss == "l1" for trial in late) < 7, "Energy is better everywhere"


def test_failures_are_avoided(tmp_path: Path) -> None:
    study, late = study_of(plan_of(tmp_path, text=TEXT.replace(BOUND, ""))), []
    for _ in range(50):
        trial = study.ask()
        assert trial
        study.tell(trial, None if trial.loss == "energy" else curve(trial, bound=False))
        late.append(trial.loss)
    assert late[30:].count("energy") < 7


def test_constraints_are_kept(tmp_path: Path) -> None:
    bound = asked(study_of(plan_of(tmp_path)), 60)[30:]
    text = TEXT.replace(BOUND, "")
    free = asked(study_of(plan_of(tmp_path, text=text)), 60, bound=False)[30:]
    good = [sum(scores(trial, 3)["f1"] >= 0.7 for trial in trials) for trials in (bound, free)]
    assert good[0] > good[1] + 5, good


def test_the_order_in_which_trials_end_does_not_matter(tmp_path: Path) -> None:
    known = asked(study_of(plan_of(tmp_path)), 20)
    answers = []
    for seed in range(3):
        study, order = study_of(plan_of(tmp_path)), list(known)
        for trial in known:
            study.add(trial)
        random.Random(seed).shuffle(order)
        for trial in order:
            study.tell(trial, curve(trial))
        answers.append(study.ask())
    assert answers[0] == answers[1] == answers[2]


# Curves


def rows(trial: Trial, *f1: float, split: str = "val") -> list[dict[str, object]]:
    own = {"probe_attribution": trial.attribution, "probe_depth": trial.depth, "split": split, "seconds": 2.0}
    return [{**own, "epoch": n, "f1": value, "epg": 1 - value} for n, value in enumerate(f1, start=1)]


def test_a_curve_is_read_at_the_trials_own_probe_and_knows_its_cost(tmp_path: Path) -> None:
    (trial,) = asked(study_of(plan_of(tmp_path)), 1)
    goals = Goals({"f1": "max", "seconds": "min"}, {"f1": 0.1})
    elsewhere = [{**row, "probe_depth": "input", "f1": 0.0} for row in rows(trial, 0.1, 0.1)]
    trained = rows(trial, 0.0, 0.0, split="train")
    limits = limits_of(trial, rows(trial, 0.3, 0.7, 0.6), goals)
    assert limits == {"f1": pytest.approx(0.6)}
    found = curve_of(trial, [*elsewhere, *trained, *rows(trial, 0.5, 0.9)], goals, limits)
    assert found.epochs.tolist() == [1, 2]
    np.testing.assert_allclose(found.points, [[0.5, -4], [0.9, -8]])
    np.testing.assert_allclose(found.excess, [[0.1], [-0.3]])
    assert (found.seconds, found.last) == (8, 2)
    np.testing.assert_allclose(found.feasible, [[0.9, -8]])
    assert found.until(1).points.tolist() == [[0.5, -4]]


def test_a_limit_is_of_the_epoch_that_children_start_from(tmp_path: Path) -> None:
    """Where there is an accuracy that is its best, whatever F1 says."""
    (trial,) = asked(study_of(plan_of(tmp_path)), 1)
    told = [{**row, "accuracy": value} for row, value in zip(rows(trial, 0.5, 0.8), (0.95, 0.85), strict=True)]
    assert limits_of(trial, told, Goals({"f1": "max"}, {"accuracy": 0.0})) == {"accuracy": pytest.approx(0.95)}


def test_guided_outside_of_the_boxes_the_share_inside_counts_as_what_it_leaves(tmp_path: Path) -> None:
    (trial,) = asked(study_of(plan_of(tmp_path)), 1)
    outside = trial.model_copy(update={"guidance_region": "outside"})
    baseline = rows(trial, 0.7)  # EPG 0.3, of which 0.1 more may get into the boxes
    goals = Goals({"f1": "max", "epg": "max"}, {"epg": 0.1})
    limits = limits_of(outside, baseline, goals)
    found = curve_of(outside, rows(trial, 0.9, 0.5), goals, limits)
    np.testing.assert_allclose(found.points, [[0.9, 0.9], [0.5, 0.5]])
    np.testing.assert_allclose(found.excess, [[-0.3], [0.1]])
    least = curve_of(outside, rows(trial, 0.9), Goals({"epg": "min"}), {})
    np.testing.assert_allclose(least.points, [[-0.1]])  # who says min means min, wherever the trial is guided


def test_the_epoch_that_stands_for_a_trial() -> None:
    points = np.array([[0.9, 0.1], [0.8, 0.6], [0.1, 0.7], [np.nan, 1.0], [0.8, 0.6]])
    free = Curve(np.arange(1, 6), points, np.zeros((5, 0)))
    assert free.best() == 1, "the knee, the earliest of equals"
    bound = Curve(np.arange(1, 6), points, np.array([[-1.0], [0.2], [0.3], [-1.0], [0.2]]))
    assert bound.best() == 0, "the only one that breaks nothing"
    assert Curve(np.arange(1, 2), np.array([[np.nan, 1.0]]), np.zeros((1, 0))).best() is None


def test_tpe_chooses_after_five_random_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it answers then is not what it would as long as it draws at random."""
    chosen = asked(study_of(plan_of(tmp_path)), 7)
    monkeypatch.setattr("mgsweep.search.study.STARTUP", 99)
    drawn = asked(study_of(plan_of(tmp_path)), 7)
    assert chosen[:5] == drawn[:5]
    assert chosen[5] != drawn[5]

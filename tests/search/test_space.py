"""The space of a search: a place for every trial, a trial for every place, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsweep.errors import InvalidInput
from mgsweep.plan import Plan, load
from mgsweep.plan.intervals import Interval
from mgsweep.plan.schema import OBJECTIVES
from mgsweep.plan.space import Choice, Space
from mgsweep.store.columns import SCHEMA

HEAD = "common: {dataset: shapes, backbone: resnet10, image_size: 32}\nguided: {epochs: 3}\n"
SEARCH = (
    HEAD
    + """
search:
  space:
    zip: [{model: [bcos, vanilla], attribution: [bcos, ixg]}]
    depth: [input, final]
    loss: [energy, l1, rrr]
    lambda_loc: {energy: {log: [1e-3, 1e-1]}, l1: {log: [1e-2, 1]}, rrr: [1e-5, 1e-4, 1e-3]}
    learning_rate: {log: [1e-5, 1e-3]}
    batch_size: {int: [8, 32]}
    bbox_fraction: {uniform: [0.1, 1]}
    exclude: [{model: vanilla, depth: input}]
  budget: {trials: 4}
"""
)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Space:
    file = tmp_path_factory.mktemp("space") / "x.yaml"
    file.write_text(SEARCH)
    found = load(file).space
    assert found
    return found


def places(space: Space) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            axis.name: st.integers(0, len(axis.options) - 1) if isinstance(axis, Choice) else st.floats(0, 1)
            for axis in space.axes
        }
    )


@given(st.data())
def test_a_trial_stands_where_it_is_found_again(space: Space, data: st.DataObject) -> None:
    """What was written into a record and read back is the same trial, however its numbers were rounded."""
    trial = space.trial(data.draw(places(space)))
    if trial is None:
        return
    place = space.place(trial)
    assert place is not None
    again = space.trial(place)
    assert again is not None
    assert again.id == trial.id
    assert (trial.model, trial.depth) != ("vanilla", "input")
    low, high = {"energy": (1e-3, 1e-1), "l1": (1e-2, 1), "rrr": (1e-5, 1e-3)}[trial.loss]
    assert low <= trial.lambda_loc <= high
    assert 8 <= trial.batch_size <= 32
    assert (trial.epochs, trial.image_size) == (3, 32)
    assert f"{trial.learning_rate:.3g}" == f"{trial.learning_rate:.12g}"
    assert trial.parent in {baseline.id for baseline in space.baselines.values()}


def test_what_lies_outside_has_no_place(space: Space) -> None:
    trial = space.trial({**next(iter(space.corners())), "lambda_loc": 0.5})
    assert trial
    other = {"epochs": 4, "parent": "0" * 12, "lambda_loc": 5.0, "seed": 1, "batch_size": 7, "depth": "mid1"}
    for key, value in other.items():
        assert space.place(trial.model_copy(update={key: value})) is None, key


@given(st.sampled_from(["log", "uniform", "int"]), st.integers(1, 999), st.integers(1, 999), st.floats(0, 1))
def test_an_interval_keeps_its_bounds_and_its_order(kind: str, low: int, width: int, position: float) -> None:
    interval = Interval(kind, low, low + width)
    value = interval.at(position)
    assert low <= value <= low + width
    where = interval.position(value)
    assert where is not None
    assert interval.at(where) == value
    assert interval.at(0) <= value <= interval.at(1)
    assert interval.position(low - 1) is None
    assert interval.position(low + width + 1) is None


def test_baselines_are_planned_and_measured_wherever_a_child_may_be(tmp_path: Path) -> None:
    plan = loaded(tmp_path, SEARCH)
    assert not plan.guided
    assert {(t.model, tuple(sorted(t.probes))) for t in plan.baselines} == {
        ("bcos", (("bcos", "final"), ("bcos", "input"))),
        ("vanilla", (("ixg", "final"),)),
    }


def test_the_cells_of_grids_as_a_space(tmp_path: Path) -> None:
    text = HEAD + (
        "grids:\n"
        "  - {model: bcos, attribution: bcos, depth: [input, final], loss: [energy, l1],\n"
        "     lambda_loc: {energy: [1e-3, 1e-2], l1: [1, 2, 3]}}\n"
        "  - {model: vanilla, attribution: ixg, depth: final, loss: energy, lambda_loc: 0.5, baseline: {epochs: 7}}\n"
    )
    grid, search = loaded(tmp_path, text), loaded(tmp_path, text + "search: {budget: {trials: 3}}\n")
    assert search.space
    assert search.space.finite
    assert search.trials == grid.baselines
    assert set(search.space.trials()) == set(grid.guided)
    for trial in grid.guided:
        place = search.space.place(trial)
        assert place is not None
        assert search.space.trial(place) == trial


def test_every_objective_is_a_column() -> None:
    assert set(OBJECTIVES) <= set(SCHEMA.names)


def loaded(folder: Path, text: str, *overrides: str, only: tuple[str, ...] = ()) -> Plan:
    file = folder / "x.yaml"
    file.write_text(text)
    return load(file, overrides, only)


def test_set_reaches_the_space_and_the_budget(tmp_path: Path) -> None:
    plan = loaded(tmp_path, SEARCH, "learning_rate=1e-4", "search.budget.trials=9", "search.sampler=nsga2")
    assert plan.search
    assert plan.space
    assert plan.space.fixed["learning_rate"] == 1e-4
    assert (plan.search.budget.trials, plan.search.sampler) == (9, "nsga2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("{log: [1e-5, 1e-3]}", "{log: [1e-3, 1e-5]}"), "search.space.learning_rate: expected log: [low, high] with"),
        (("{log: [1e-5, 1e-3]}", "{log: [1e-3, 1e-3]}"), "search.space.learning_rate: expected log: [low, high] with"),
        (("{log: [1e-5, 1e-3]}", "{log: []}"), "search.space.learning_rate: expected log: [low, high] with"),
        (("{log: [1e-5, 1e-3]}", "{log: [0, 1e-3]}"), "search.space.learning_rate: expected a number > 0, got 0"),
        (("{log: [1e-3, 1e-1]}", "{log: [0, 1e-1]}"), "lambda_loc.energy: expected log: [low, high] with 0 < low"),
        (("{log: [1e-3, 1e-1]}", "{uniform: [0, 1e-1]}"), "search.space.lambda_loc: expected numbers > 0"),
        (("{int: [8, 32]}", "{log: [8, 32]}"), "search.space.batch_size: expected whole numbers: {int: [low, high]"),
        (("{int: [8, 32]}", "{int: [8.5, 32]}"), "search.space.batch_size"),
        (("{uniform: [0.1, 1]}", "{uniform: [0.1, 2]}"), "search.space.bbox_fraction: expected a number <= 1, got 2"),
        (("{uniform: [0.1, 1]}", "{between: [0.1, 1]}"), "search.space.bbox_fraction: expected a value, a list"),
        (("loss: [energy, l1, rrr]", "loss: [energy, none]"), "search.space.loss: remove none"),
        (("loss: [energy, l1, rrr]", "loss: [energy, ppce]"), "search.space.lambda_loc: missing: the lambdas of ppce"),
        (("loss: [energy, l1, rrr]", "loss: [energi]"), "search.space.loss: unknown loss 'energi'; did you mean"),
        (("depth: [input, final]", "depth: [input, final]\n    seed: [0, 1]"), "search.space.seed: expected one value"),
        (("depth: [input, final]", "seed: {int: [0, 9]}"), "search.space.seed: expected one value"),
        (("depth: [input, final]", "image_size: {int: [32, 64]}"), "search.space.image_size: expected a list"),
        (("depth: [input, final]", ""), "search.space.depth: missing"),
        (("budget: {trials: 4}", "budget: {trials: 0}"), "search.budget.trials: expected a number > 0, got 0"),
        (("budget: {trials: 4}", "budget: {}"), "search.budget: expected one of trials, epochs and gpu_hours"),
        (("budget: {trials: 4}", "budget: {trials: 4, epochs: 9}"), "search.budget: expected one of"),
        (("budget: {trials: 4}", "budget: {gpu_hours: 4}"), "search.budget.gpu_hours: trials occupy no GPU"),
        (("  budget: {trials: 4}", ""), "search.budget: missing"),
        (
            ("budget: {trials: 4}", "budget: {trials: 4}\n  objectives: {f2: max}"),
            "search.objectives.f2: unknown measurement 'f2' (known: f1, ",
        ),
        (
            ("budget: {trials: 4}", "budget: {trials: 4}\n  objectives: {f1: up}"),
            "search.objectives.f1: expected 'max'",
        ),
        (("budget: {trials: 4}", "budget: {trials: 4}\n  objectives: {}"), "search.objectives: expected at least one"),
        (("budget: {trials: 4}", "budget: {trials: 4}\n  constraints: {f1: -1}"), "search.constraints.f1: expected a"),
        (("budget: {trials: 4}", "budget: {trials: 4}\n  sampler: tpee"), "search.sampler: expected 'tpe', 'nsga2'"),
        (("budget: {trials: 4}", "budget: {trials: 4}\n  sampler: grid"), "search.sampler: grid tries every value in"),
        (("search:\n", "grids: [{model: bcos}]\nsearch:\n"), "search.space: a search chooses from its space or from"),
        (("search:\n", "early_stop: {at: [2, 1]}\nsearch:\n"), "early_stop.at: expected ascending epochs, got [2, 1]"),
        (("search:\n", "early_stop: {at: []}\nsearch:\n"), "early_stop.at: expected at least one value"),
        (("search:\n", "early_stop: {at: [1], keep: 1}\nsearch:\n"), "early_stop.keep: expected a number < 1, got 1"),
        (("search:\n", "early_stop: {at: [1], per: [los]}\nsearch:\n"), "unknown field 'los'; did you mean 'loss'?"),
    ],
)
def test_bad_input(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in SEARCH
    with pytest.raises(InvalidInput) as caught:
        loaded(tmp_path, SEARCH.replace(*change))
    lines = str(caught.value).splitlines()
    assert any(said in line for line in lines), str(caught.value)
    assert all(line.startswith(str(tmp_path / "x.yaml")) for line in lines)


def test_a_search_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="search.space: missing: there is nothing to try"):
        loaded(tmp_path, HEAD + "search: {budget: {trials: 3}}\n")
    with pytest.raises(InvalidInput, match="gradcam makes no trial"):
        loaded(
            tmp_path,
            SEARCH.replace("[bcos, ixg]}]", "[gradcam, ixg]}]").replace("depth: [input, final]", "depth: input"),
        )
    with pytest.raises(InvalidInput, match="--only: a search chooses its trials itself"):
        loaded(tmp_path, SEARCH, only=("loss=l1",))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = SEARCH.replace("{int: [8, 32]}", "{int: [32, 8]}").replace("budget: {trials: 4}", "budget: {trials: -1}")
    with pytest.raises(InvalidInput) as caught:
        loaded(tmp_path, text)
    assert len(caught.value.problems) == 2

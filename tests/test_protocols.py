"""The sweeps that reproduce the study: as its protocols say, as large as their headers say, and small for a try."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mgsweep.errors import InvalidInput
from mgsweep.plan import load
from mgsweep.plan.cost import cost
from mgsweep.plan.protocols import RULES, departures, protocol
from mgsweep.trial import CONFIG, Trial

SWEEPS = Path(__file__).parents[1] / "sweeps"
STUDY = (
    "full_grid", "gradcam", "depths", "speedup", "backbones", "limited_boxes", "dilation", "masks", "waterbirds",
)  # fmt: skip


@pytest.mark.parametrize("name", STUDY)
def test_every_trial_is_as_the_study_ran_it(name: str) -> None:
    for trial in load(SWEEPS / f"{name}.yaml").trials:
        wrong = departures(trial)
        said = [
            f"{key} is {getattr(trial, key)}, not of {rule.then[key]} ({rule.source})" for key, rule in wrong.items()
        ]
        assert not said, trial
        assert set(CONFIG) - set(protocol(trial)) <= {"dataset", "model", "parent", "loss", *unset(trial)}


def unset(trial: Trial) -> set[str]:
    """Fields at their default, which need no rule."""
    return {key for key in CONFIG if getattr(trial, key) == Trial.model_fields[key].default}


def test_every_rule_is_of_use() -> None:
    """Each value of each rule is that of some trial of some sweep, for which that rule holds."""
    trials = [trial for name in STUDY for trial in load(SWEEPS / f"{name}.yaml").trials]
    used = {(id(rule), key, getattr(trial, key)) for trial in trials for key, rule in protocol(trial).items()}
    for rule in RULES:
        for key, allowed in rule.then.items():
            assert [value for value in allowed if (id(rule), key, value) not in used] == [], rule


def test_departures_name_the_rule() -> None:
    trial = Trial(
        dataset="voc2007", model="bcos", weights="imagenet", attribution="bcos", depth="input", loss="energy",
        lambda_loc=7.0, epochs=10,
    )  # fmt: skip
    found = departures(trial)
    assert set(found) == {"lambda_loc", "epochs"}
    assert found["epochs"].then["epochs"] == (50,)
    assert found["lambda_loc"].source == "fact; 1e-3 in code"
    few = departures(trial.model_copy(update={"bbox_fraction": 0.1, "epochs": 50}))
    assert few["lambda_loc"].then["lambda_loc"] == (0.05, 0.1, 0.5)


@pytest.mark.parametrize("name", STUDY)
def test_headers_count_the_trials(name: str) -> None:
    text = (SWEEPS / f"{name}.yaml").read_text()
    plan = load(SWEEPS / f"{name}.yaml")
    counted = re.search(r"= (\d+) guided trials, and (\d+) baselines?\.", text)
    assert counted
    assert [int(number) for number in counted.groups()] == [len(plan.guided), len(plan.baselines)]
    assert plan.skipped == {}
    stated = re.search(r"# +About (\d+) hours of one A100", text)
    assert stated
    taken = cost(plan.trials, {})
    if not taken.trials["unknown"]:
        assert int(stated[1]) == pytest.approx(taken.total / 3600, abs=1), "what `mgsweep plan` says"
    assert re.match(r"# yaml-language-server.*\n#\n# .*(Figure|Table|supplement|reproduction)", text)
    assert f"sweeps/{name}.yaml --scale smoke" in text


@pytest.mark.parametrize("name", STUDY)
def test_smoke_is_as_wide_but_small(name: str) -> None:
    """Every combination of the sweep, one epoch each, on small networks or images; in a folder of its own."""
    whole, smoke = load(SWEEPS / f"{name}.yaml"), load(SWEEPS / f"{name}.yaml", scale="smoke")
    assert smoke.name == f"{name}-smoke"
    assert (len(smoke.guided), len(smoke.baselines)) == (len(whole.guided), len(whole.baselines))
    assert {(t.epochs, t.image_size, t.weights, t.batch_size) for t in smoke.trials} == {(1, 64, "random", 8)}
    assert not {t.id for t in smoke.trials} & {t.id for t in whole.trials}
    assert (smoke.resources.gpu, whole.resources.gpu) == (0, 1)


SWEEP = """
name: tiny
common: {dataset: shapes, model: vanilla, backbone: resnet10, loss: none, seed: [0, 1]}
scales: {%s}
baseline: {epochs: 9}
grids: [{}]
"""


def scaled(tmp_path: Path, scales: str, scale: str = "small") -> list[Trial]:
    file = tmp_path / "tiny.yaml"
    file.write_text(SWEEP % scales)
    return list(load(file, ["batch_size=3"], scale=scale).trials)


def test_a_scale_takes_the_place_of_what_the_file_says(tmp_path: Path) -> None:
    """--set comes last."""
    trials = scaled(tmp_path, "small: {epochs: 2, seed: 7, batch_size: 5}")
    assert [(trial.epochs, trial.seed, trial.batch_size) for trial in trials] == [(2, 7, 3)]


@pytest.mark.parametrize(
    ("scales", "scale", "message"),
    [
        ("small: {epochs: 2}", "smal", "--scale: unknown scale 'smal'; did you mean 'small'?"),
        ("", "small", "--scale: unknown scale 'small'; the file has none under scales"),
        ("small: {epohcs: 2}", "small", "tiny.yaml:4: scales.small.epohcs: unknown key; did you mean 'epochs'?"),
        ("small: {epochs: none}", "small", "tiny.yaml:4: scales.small.epochs: expected a whole number, got 'none'"),
    ],
)
def test_mistakes_in_a_scale(tmp_path: Path, scales: str, scale: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        scaled(tmp_path, scales, scale)
    assert message in str(caught.value)

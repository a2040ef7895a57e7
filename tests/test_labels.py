"""A trial in a few words: short, and other words for another trial."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from mgsweep.labels import label, shared
from mgsweep.screen import Screen
from mgsweep.trial import CONFIG, Trial

USUAL: dict[str, Any] = {
    "dataset": "shapes", "model": "bcos", "attribution": "bcos", "depth": "final", "loss": "energy", "lambda_loc": 0.01
}  # fmt: skip
GUIDED, BASELINE = Trial(**USUAL), Trial(dataset="shapes", model="bcos")

OTHER: dict[str, Any] = {
    "dataset": "voc2007", "model": "xdnn", "backbone": "resnet18", "weights": "imagenet", "attribution": "ixg",
    "depth": "input", "loss": "l1", "lambda_loc": 0.02, "bbox_fraction": 0.1, "bbox_dilation": 0.5,
    "guidance_source": "mask", "guidance_region": "outside", "epochs": 3, "batch_size": 32, "learning_rate": 1e-3,
    "image_size": 64, "seed": 2, "augmentation": "crop_flip", "precision": "bf16", "start": "weights",
}  # fmt: skip


def test_defaults_are_not_said() -> None:
    assert label(GUIDED) == "shapes bcos bcos@final energy λ=0.01"
    assert label(BASELINE) == "shapes bcos baseline"


@pytest.mark.parametrize("field", [key for key in CONFIG if key != "parent"])
def test_trials_that_differ_in_a_field_have_different_labels(field: str) -> None:
    trials = [GUIDED, Trial(**{**USUAL, field: OTHER[field]})]
    assert len({label(trial, shared(trials)) for trial in trials}) == 2


def test_close_shares_and_rates_are_told_apart() -> None:
    values = [{"bbox_fraction": 0.081}, {"bbox_fraction": 0.084}, {"learning_rate": 1.1e-4}, {"learning_rate": 1.2e-4}]
    trials = [Trial(**{**USUAL, **value}) for value in values]
    assert all(label(one) != label(other) for one, other in combinations(trials, 2))
    assert label(trials[0]).endswith("8.1% boxes")


def test_what_all_trials_of_a_stage_share_is_not_said() -> None:
    setting = {"backbone": "resnet18", "image_size": 64, "learning_rate": 1e-3}
    guided = [Trial(**{**USUAL, **setting, "epochs": 3, "lambda_loc": number}) for number in (1, 2)]
    baseline = Trial(dataset="shapes", model="bcos", epochs=8, **setting)
    known = shared([baseline, *guided])
    assert label(baseline, known) == label(BASELINE)
    assert [label(trial, known) for trial in guided] == [
        "shapes bcos bcos@final energy λ=1",
        "shapes bcos bcos@final energy λ=2",
    ]
    assert label(guided[0], shared([baseline])) == "shapes bcos bcos@final energy λ=1 resnet18 3 epochs lr 0.001 64 px"


def test_a_run_says_what_sets_its_trials_apart(capsys: pytest.CaptureFixture[str]) -> None:
    trials = [Trial(dataset="shapes", model="bcos", epochs=8, backbone=name) for name in ("resnet18", "resnet34")]
    with Screen(trials) as screen:
        for trial in trials:
            screen.started(trial)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == [
        f"shapes bcos baseline {name}" for name in ("resnet18", "resnet34")
    ]

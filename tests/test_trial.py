"""The record: its identity, its validation, the paper's spellings."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mgsweep.trial import CONFIG, Probe, Trial

GUIDED = {"dataset": "voc2007", "model": "bcos", "attribution": "bcos", "depth": "input", "loss": "energy"}


def test_ids_are_frozen() -> None:
    """Stored results are found by these ids: if this test fails, mend the change, not the list."""
    frozen = json.loads(Path(__file__).with_name("golden").joinpath("trial_ids.json").read_text())
    for entry in frozen:
        assert Trial(**entry["fields"]).id == entry["id"], entry["fields"]


def test_every_field_but_probes_is_part_of_the_identity() -> None:
    changed = {
        "dataset": "coco2014", "model": "xdnn", "backbone": "resnet18", "weights": "imagenet", "attribution": "ixg",
        "depth": "final", "loss": "l1", "lambda_loc": 2.0, "bbox_fraction": 0.1, "bbox_dilation": 0.5,
        "guidance_source": "mask", "guidance_region": "outside", "epochs": 3, "batch_size": 8, "learning_rate": 1e-3,
        "image_size": 64, "seed": 1, "parent": "0123456789ab", "augmentation": "crop_flip", "start": "weights",
        "precision": "bf16",
    }  # fmt: skip
    assert set(changed) == set(CONFIG), "a new field needs a line here"
    base = Trial(**GUIDED, lambda_loc=1.0)
    ids = {base.id, *(Trial(**{**GUIDED, "lambda_loc": 1.0, key: value}).id for key, value in changed.items())}
    assert len(ids) == len(changed) + 1
    assert base.model_copy(update={"probes": (Probe("ixg", "final"),)}).id == base.id


def test_a_field_at_its_default_does_not_change_the_id() -> None:
    """What makes it possible to add fields later without orphaning results."""
    assert Trial(**GUIDED, lambda_loc=1, epochs=50, seed=0, bbox_fraction=1).id == Trial(**GUIDED, lambda_loc=1).id


@pytest.mark.parametrize("one", [1, 1.0, np.float64(1), np.int64(1)])
def test_equal_numbers_are_one_value(one: float) -> None:
    assert Trial(**GUIDED, lambda_loc=one, epochs=one).id == Trial(**GUIDED, lambda_loc=1.0, epochs=1).id


@given(st.permutations(list({**GUIDED, "lambda_loc": 0.5, "seed": 3}.items())))
def test_order_does_not_matter(items: list[tuple[str, object]]) -> None:
    assert Trial(**dict(items)).id == Trial(**GUIDED, lambda_loc=0.5, seed=3).id


@given(st.floats(1e-9, 1e9), st.floats(1e-6, 1), st.integers(1, 1000), st.sampled_from(["input", "mid2", "final"]))
def test_a_row_gives_the_trial_back(lambda_loc: float, fraction: float, epochs: int, depth: str) -> None:
    trial = Trial(**{**GUIDED, "depth": depth}, lambda_loc=lambda_loc, bbox_fraction=fraction, epochs=epochs)
    again = Trial.from_row({**trial.to_row(), "epoch": 3, "f1": 0.5})
    assert again == trial
    assert again.id == trial.id


@pytest.mark.parametrize(
    ("written", "name"),
    [("RRR*", "rrr"), ("Energy", "energy"), ("PPCE", "ppce"), ("L1", "l1")],
)
def test_the_papers_spellings_of_losses(written: str, name: str) -> None:
    assert Trial(**{**GUIDED, "loss": written}, lambda_loc=1).loss == name


def test_the_papers_other_spellings() -> None:
    trial = Trial(
        dataset="VOC 2007", model="B-cos", backbone="ResNet-50", attribution="GradCam", depth="Mid1", loss="Energy",
        lambda_loc=1,
    )  # fmt: skip
    assert trial.to_row() | {"dataset": "voc2007", "model": "bcos", "backbone": "resnet50"} == trial.to_row()
    assert (trial.attribution, trial.depth) == ("gradcam", "mid1")
    assert Trial(dataset="waterbirds-100", model="X-DNN").model == "xdnn"


@pytest.mark.parametrize(
    "wrong",
    [
        {"lambda_loc": "1e-3"}, {"lambda_loc": math.nan}, {"lambda_loc": math.inf}, {"lambda_loc": -1.0},
        {"lambda_loc": 0}, {"bbox_fraction": 0}, {"bbox_fraction": 1.5}, {"bbox_dilation": -0.1}, {"epochs": 2.5},
        {"epochs": True}, {"epochs": 0}, {"seed": -1}, {"learning_rate": 0}, {"guidance_source": "boxes"},
        {"depth": None}, {"attribution": None}, {"lamda": 1},
    ],
)  # fmt: skip
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Trial(**{**GUIDED, "lambda_loc": 1.0, **wrong})


@pytest.mark.parametrize("key", ["attribution", "depth", "parent", "lambda_loc"])
def test_a_baseline_has_no_guidance(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        Trial(dataset="voc2007", model="bcos", **{key: 1.0 if key == "lambda_loc" else "input"})


def test_a_trial_measures_its_own_probe_first_and_each_once() -> None:
    trial = Trial(**GUIDED, lambda_loc=1, probes=(Probe("ixg", "final"), Probe("bcos", "input")))
    assert trial.measured == (Probe("bcos", "input"), Probe("ixg", "final"))
    assert Trial(dataset="voc2007", model="bcos").measured == ()

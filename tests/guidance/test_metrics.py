"""EPG, IoU, F1 and average precision against the published numbers, plain loops and torchmetrics."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics
from hypothesis import given
from hypothesis import strategies as st

from mgsweep.guidance import boxes, metrics

GOLDEN = Path(__file__).parents[1] / "golden"
STORED = json.loads((GOLDEN / "losses_metrics.json").read_text())


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / "losses_metrics.npz") as stored:
        return {key: torch.tensor(stored[key]) for key in ("attributions", "coarse", "epg", "iou", "logits", "labels")}


@pytest.fixture(scope="module")
def masks() -> torch.Tensor:
    return boxes.masks([torch.tensor(box) for box in STORED["boxes"]], 32)


@pytest.mark.parametrize("name", ["epg", "iou"])
def test_published_maps(golden: dict[str, torch.Tensor], masks: torch.Tensor, name: str) -> None:
    measured = getattr(metrics, name)(golden["attributions"], masks)
    torch.testing.assert_close(measured.double(), golden[name], rtol=1e-5, atol=1e-6)


def test_a_coarse_map_is_measured_upsampled(golden: dict[str, torch.Tensor], masks: torch.Tensor) -> None:
    whole = torch.nn.functional.interpolate(golden["coarse"][None], size=(32, 32), mode="bilinear")[0]
    torch.testing.assert_close(metrics.epg(golden["coarse"], masks), metrics.epg(whole, masks))
    torch.testing.assert_close(metrics.iou(golden["coarse"], masks), metrics.iou(whole, masks))


def test_undefined_maps_are_told_apart(golden: dict[str, torch.Tensor], masks: torch.Tensor) -> None:
    """All zero, all negative, and a sum under 1e-7; an EPG of 0 beside a real map is defined."""
    undefined = (~metrics.has_energy(golden["attributions"], masks)).nonzero().flatten().tolist()
    assert undefined == [6, 7, 9]


@given(st.integers(0, 2**16), st.floats(0.1, 0.9))
def test_a_map_of_the_mask_is_perfect(seed: int, threshold: float) -> None:
    inside = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(seed)) > 0.5
    inside[:, 0, 0] = True
    assert metrics.epg(inside.float(), inside).allclose(torch.ones(3))
    assert metrics.iou(inside.float(), inside, threshold).allclose(torch.ones(3))
    assert metrics.epg(-inside.float(), inside).eq(0).all()


def test_published_f1(golden: dict[str, torch.Tensor]) -> None:
    counts = metrics.LabelCounts.of(golden["logits"], golden["labels"].bool())
    assert counts.f1() == pytest.approx(STORED["f1"]["F-Score"], abs=1e-6)
    assert [int(values.sum()) for values in vars(counts).values()] == [
        STORED["f1"]["True Positives"], STORED["f1"]["False Positives"], STORED["f1"]["False Negatives"],
    ]  # fmt: skip


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(2, 6))
def test_f1_against_torchmetrics(seed: int, images: int, classes: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    # Shifted, as the referee takes logits that all lie in [0, 1] for probabilities.
    logits = torch.randn(images, classes, generator=draw) * 3 + 0.01
    logits[0, 0] = 5.0
    labels = torch.rand(images, classes, generator=draw) > 0.6
    referee = torchmetrics.classification.MultilabelF1Score(num_labels=classes, average="micro")
    assert metrics.LabelCounts.of(logits, labels).f1() == pytest.approx(float(referee(logits, labels.int())), abs=1e-6)


def test_counts_add_up_over_batches(golden: dict[str, torch.Tensor]) -> None:
    logits, labels = golden["logits"], golden["labels"].bool()
    whole = metrics.LabelCounts.of(logits, labels)
    parts = [metrics.LabelCounts.of(*part) for part in zip(logits.split(7), labels.split(7), strict=True)]
    for name, values in vars(whole).items():
        assert torch.equal(values, sum(getattr(part, name) for part in parts))


def test_a_logit_of_zero_is_a_yes() -> None:
    assert metrics.LabelCounts.of(torch.zeros(1, 1), torch.ones(1, 1).bool()).f1() == 1


def test_f1_of_nothing() -> None:
    assert metrics.LabelCounts.of(-torch.ones(3, 2), torch.zeros(3, 2).bool()).f1() == 0


@given(st.integers(0, 2**16), st.integers(2, 40), st.sampled_from([1.0, 100.0]))
def test_average_precision_against_torchmetrics(seed: int, images: int, coarseness: float) -> None:
    """With coarse scores many are equal."""
    draw = torch.Generator().manual_seed(seed)
    scores = (torch.rand(images, 3, generator=draw) * coarseness).round() if coarseness > 1 else torch.rand(images, 3)
    scores = scores / coarseness
    labels = torch.rand(images, 3, generator=draw) > 0.5
    labels[0] = True
    referee = torchmetrics.classification.MultilabelAveragePrecision(num_labels=3, average="macro")
    expected = float(referee(scores, labels.int()))
    assert metrics.mean_average_precision(scores, labels) == pytest.approx(expected, abs=1e-6)


def test_average_precision_leaves_absent_classes_out() -> None:
    scores, labels = torch.tensor([[0.9, 0.5], [0.1, 0.5]]), torch.tensor([[True, False], [False, False]])
    assert metrics.mean_average_precision(scores, labels) == 1
    assert math.isnan(metrics.mean_average_precision(scores, labels & False))

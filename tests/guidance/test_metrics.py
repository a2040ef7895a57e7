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


# Thresholds, objects, groups


def maps_and_masks(seed: int, coarse: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Six maps, coarse ones of few different values, one of zeros and one that is constant; and a mask for each."""
    draw = torch.Generator().manual_seed(seed)
    maps = torch.randn(6, 12, 12, generator=draw)
    maps = (maps * 3).round() if coarse else maps
    maps[4], maps[5] = 0.0, 2.0
    return maps, torch.rand(6, 12, 12, generator=draw) > 0.6


def iou_of(marked: np.ndarray, mask: np.ndarray) -> float:
    union = int((marked | mask).sum())
    return int((marked & mask).sum()) / union if union else 0.0


@given(st.integers(0, 2**16), st.booleans())
def test_iou_at_every_threshold(seed: int, coarse: bool) -> None:
    maps, masks = maps_and_masks(seed, coarse)
    curves, _ = metrics.ious(maps, masks)
    for place, threshold in enumerate(metrics.THRESHOLDS):
        torch.testing.assert_close(curves[:, place], metrics.iou(maps, masks, threshold), rtol=0, atol=0)
    assert 0.5 in metrics.THRESHOLDS
    assert list(metrics.THRESHOLDS) == sorted(set(metrics.THRESHOLDS))


@given(st.integers(0, 2**16), st.booleans())
def test_adaptive_iou_against_a_loop(seed: int, coarse: bool) -> None:
    """As the reproduction finds it: the value that begins the last tenth of NumPy's sorted unique ones."""
    maps, masks = maps_and_masks(seed, coarse)
    for measured, one, mask in zip(metrics.ious(maps, masks)[1], maps.numpy(), masks.numpy(), strict=True):
        kept = np.maximum(one, 0)
        low, high = kept.min(), kept.max()
        scaled = kept if high == 0 else kept / high if high - low < 1e-7 else (kept - low) / (high - low)
        values = np.unique(scaled)
        assert measured.item() == pytest.approx(iou_of(scaled > values[-int(len(values) * 0.1)], mask))


@given(st.integers(0, 2**16))
def test_on_object_epg_against_a_loop(seed: int) -> None:
    maps, masks = maps_and_masks(seed, coarse=False)
    objects = torch.rand(6, 12, 12, generator=torch.Generator().manual_seed(seed + 1)) > 0.5
    for number, measured in enumerate(metrics.on_object_epg(maps, masks, objects).tolist()):
        inside = on_objects = 0.0
        for value, in_box, in_object in zip(
            maps[number].flatten().tolist(), masks[number].flatten(), objects[number].flatten(), strict=True
        ):
            inside += max(value, 0) * bool(in_box)
            on_objects += max(value, 0) * bool(in_box & in_object)
        assert measured == pytest.approx(on_objects / inside if inside else 0.0, rel=1e-5)


@given(st.integers(0, 2**16), st.integers(1, 60))
def test_accuracies_against_a_loop(seed: int, images: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits, groups = torch.randn(images, 2, generator=draw), torch.randint(0, 3, (images,), generator=draw)
    labels = torch.nn.functional.one_hot(groups // 2, 2).bool()
    counts = metrics.GroupCounts.of(logits, labels, groups, 4)
    right = [bool(row[1] > row[0]) == bool(label[1]) for row, label in zip(logits, labels, strict=True)]
    shares = []
    for group in range(4):
        of_group = [ok for ok, g in zip(right, groups.tolist(), strict=True) if g == group]
        assert (int(counts.group_correct[group]), int(counts.group_total[group])) == (sum(of_group), len(of_group))
        shares += [sum(of_group) / len(of_group)] if of_group else []
    assert counts.accuracy() == pytest.approx(sum(right) / images)
    assert counts.worst() == pytest.approx(min(shares))

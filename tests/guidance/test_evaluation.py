"""Evaluation against the plain way: every pair on its own, explained by `attribute`, measured and averaged."""

from __future__ import annotations

import pytest
import torch
from golden import filled
from splits import SIZE, random_split, split_of

from mgsweep.guidance import boxes, metrics
from mgsweep.guidance.attributions import attribute
from mgsweep.guidance.evaluation import evaluate, pixels
from mgsweep.trial import Probe

CPU = torch.device("cpu")
PROBES = {
    "vanilla": (Probe("ixg", "input"), Probe("gradcam", "mid2"), Probe("ixg", "final")),
    "xdnn": (Probe("intgrad", "mid1"), Probe("gradcam", "final")),
    "bcos": (Probe("bcos", "input"), Probe("ixg", "input"), Probe("bcos", "final")),
}


@pytest.mark.parametrize("model", PROBES)
def test_rows_equal_pair_by_pair(model: str) -> None:
    classifier, split = filled(model, classes=3).eval(), random_split(5, 17)
    rows = evaluate(classifier, split, PROBES[model], CPU, batch_size=4)
    for row, probe in zip(rows, PROBES[model], strict=True):
        epg, iou, undefined = 0.0, 0.0, 0
        for number, (image, label) in enumerate(split.pairs):
            maps = attribute(classifier, pixels(split, image[None], CPU), label[None], *probe)
            mask = boxes.masks(split.boxes[[number]], SIZE)
            epg += metrics.epg(maps, mask).item() / len(split.pairs)
            iou += metrics.iou(maps, mask).item() / len(split.pairs)
            undefined += int(not metrics.has_energy(maps, mask).item())
        assert (row["probe_attribution"], row["probe_depth"]) == probe
        assert row["epg"] == pytest.approx(epg, rel=1e-5)
        assert row["iou"] == pytest.approx(iou, rel=1e-3)
        assert (row["pairs"], row["pairs_undefined"]) == (len(split.pairs), undefined)
        logits = classifier(pixels(split, torch.arange(17), CPU)).detach()
        assert row["f1"] == metrics.LabelCounts.of(logits, split.labels).f1()
        assert row["mean_ap"] == pytest.approx(metrics.mean_average_precision(logits, split.labels))


@pytest.mark.parametrize("model", PROBES)
def test_the_size_of_batches_does_not_matter(model: str) -> None:
    classifier, split = filled(model, classes=3), random_split(6, 23)
    small, large = (evaluate(classifier, split, PROBES[model], CPU, batch_size=size) for size in (1, 64))
    for one, other in zip(small, large, strict=True):
        assert one.keys() == other.keys()
        for key, value in other.items():
            assert one[key] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-5)), key


def test_a_map_is_upsampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, interpolate = [], torch.nn.functional.interpolate
    monkeypatch.setattr("torch.nn.functional.interpolate", lambda *a, **k: calls.append(a) or interpolate(*a, **k))
    split = split_of(
        torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8), torch.eye(2, dtype=torch.bool), [[[1, 1, 9, 9]]] * 2
    )
    evaluate(filled("vanilla", classes=2), split, (Probe("ixg", "final"),), CPU)
    assert len(calls) == 1


def test_without_probes_there_is_one_row_of_decisions() -> None:
    classifier, split = filled("bcos", classes=3), random_split(7)
    (row,) = evaluate(classifier, split, (), CPU)
    (probed,) = evaluate(classifier, split, (Probe("bcos", "input"),), CPU)
    assert row["probe_depth"] is None
    assert "epg" not in row
    assert row["f1"] == probed["f1"]
    assert row["class_loss"] == pytest.approx(probed["class_loss"])


def test_images_without_labels_are_classified_only() -> None:
    images = torch.randint(0, 256, (3, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[True, False], [False, False], [True, True]])
    split = split_of(images, labels, [[[1, 1, 9, 9]]] * 3)
    (row,) = evaluate(filled("vanilla", classes=2), split, (Probe("ixg", "final"),), CPU)
    assert row["pairs"] == 3
    assert sum(row["true_positives"]) + sum(row["false_negatives"]) == 3


def test_nothing_is_kept_for_a_backward() -> None:
    """Weights that require grad are evaluated without a graph, and get no gradient."""
    classifier, split = filled("vanilla", classes=3), random_split(8)
    evaluate(classifier, split, PROBES["vanilla"], CPU)
    assert not classifier.training
    assert all(parameter.grad is None for parameter in classifier.parameters())

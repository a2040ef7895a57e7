"""Evaluation against the plain way: every pair on its own, explained by `attribute`, measured and averaged."""

from __future__ import annotations

import pytest
import torch
from golden import filled
from splits import SIZE, grouped_split, random_split, split_of

from mgsweep.guidance import boxes, metrics
from mgsweep.guidance.attributions import attribute
from mgsweep.guidance.evaluation import SIZE_BINS, evaluate, held_out, pixels
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
            # A value that rounds otherwise may cross a threshold, or equal its neighbour no more.
            tolerance = 1e-3 if key.startswith("iou") else 1e-7
            assert one[key] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-5, abs=tolerance)), key


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


def test_sums_by_class_and_by_size_and_on_objects_equal_pair_by_pair() -> None:
    """Boxes of 10 x 10 pixels and, drawn over, one that covers nearly all and one that covers all it can."""
    classifier, split = filled("vanilla", classes=3).eval(), random_split(5, 17, segmented=0.6)
    split.boxes[0, 0] = torch.tensor([0, 0, SIZE - 1, SIZE - 1])
    split.boxes[1, 0] = torch.tensor([0, 0, SIZE - 2, SIZE - 2])
    probe = Probe("ixg", "final")
    (row,) = evaluate(classifier, split, [probe], CPU, batch_size=4)
    by_class, by_size, on_object = [[] for _ in range(3)], [[] for _ in range(SIZE_BINS)], []
    thresholds, adaptive = torch.zeros(len(metrics.THRESHOLDS)), 0.0
    for number, (image, label) in enumerate(split.pairs):
        maps = attribute(classifier, pixels(split, image[None], CPU), label[None], *probe)
        mask = boxes.masks(split.boxes[[number]], SIZE)
        epg = metrics.epg(maps, mask).item()
        by_class[int(label)].append(epg)
        by_size[min(int(10 * mask.sum() / (SIZE - 1) ** 2), 9)].append(epg)
        fixed, top_tenth = metrics.ious(maps, mask)
        thresholds += fixed[0] / len(split.pairs)
        adaptive += top_tenth.item() / len(split.pairs)
        if split.segmented(torch.tensor(number)):
            objects = split.segmentation(torch.tensor([number]), CPU)
            on_object.append(metrics.on_object_epg(maps, mask, objects).item())
    assert 0 < len(on_object) < len(split.pairs)
    assert len(by_size[9]) == 2
    assert row["pairs_by_class"] == list(map(len, by_class))
    assert row["epg_by_class"] == pytest.approx(list(map(sum, by_class)), rel=1e-5)
    assert row["pairs_by_size"] == list(map(len, by_size))
    assert row["epg_by_size"] == pytest.approx(list(map(sum, by_size)), rel=1e-5)
    assert row["pairs_segmented"] == len(on_object)
    assert row["on_object_epg"] == pytest.approx(sum(on_object) / len(on_object), rel=1e-5)
    assert row["iou_by_threshold"] == pytest.approx(thresholds.tolist(), rel=1e-3, abs=1e-4)
    assert row["iou_adaptive"] == pytest.approx(adaptive, rel=1e-3, abs=1e-3)


def test_groups_give_accuracies_by_the_largest_logit() -> None:
    classifier, split = filled("bcos", classes=2), grouped_split(3, 20)
    (row,) = evaluate(classifier, split, (), CPU)
    assert split.groups is not None
    decided = classifier(pixels(split, torch.arange(20), CPU)).argmax(1)
    right = decided == split.groups // 2
    assert row["accuracy"] == pytest.approx(right.float().mean().item())
    assert row["group_total"] == split.groups.bincount(minlength=4).tolist()
    assert row["group_correct"] == split.groups[right].bincount(minlength=4).tolist()
    assert row["worst_group_accuracy"] == pytest.approx(
        min(right[split.groups == group].float().mean().item() for group in split.groups.unique())
    )
    (without,) = evaluate(filled("bcos", classes=3), random_split(7), (), CPU)
    assert "accuracy" not in without


def test_the_threshold_is_chosen_on_validation() -> None:
    """The lowest of the best, at the probe's own curve; a record of before such curves gives none."""

    def row(curve: list[float] | None, depth: str = "input") -> dict[str, object]:
        return {"probe_attribution": "ixg", "probe_depth": depth, "iou_by_threshold": curve}

    validated = [row([0.1, 0.4, 0.4, 0.2]), row([0.9, 0.1, 0.1, 0.1], "final"), row(None, "mid1")]
    tested = [row([0.5, 0.3, 0.6, 0.7]), row([0.2, 0.3, 0.4, 0.5], "final"), row([1.0] * 4, "mid1"), row(None, "mid2")]
    held_out(tested, validated)
    assert [(r.get("iou_held_out"), r.get("iou_threshold")) for r in tested] == [
        (0.3, metrics.THRESHOLDS[1]), (0.2, metrics.THRESHOLDS[0]), (None, None), (None, None),
    ]  # fmt: skip
    held_out(validated, validated)
    assert validated[0]["iou_held_out"] == 0.4

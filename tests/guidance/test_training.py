"""The kernel: the published guided step, resuming, what is kept, and what is measured when."""

from __future__ import annotations

import copy
import itertools
import json
import math
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden import filled
from splits import CLASSES, SIZE, random_split, split_of
from torch import Tensor

from mgsweep.best import best_epoch
from mgsweep.errors import Diverged
from mgsweep.guidance import boxes
from mgsweep.guidance.attributions import ATTRIBUTIONS
from mgsweep.guidance.checkpoint import dump_state, dump_weights, load_state, load_weights
from mgsweep.guidance.clock import forget_peak
from mgsweep.guidance.datasets.cache import Data, Split
from mgsweep.guidance.losses import LOSSES
from mgsweep.guidance.metrics import THRESHOLDS
from mgsweep.guidance.seeds import generator
from mgsweep.guidance.step import drawn_classes, guidance_masks, guided_loss
from mgsweep.guidance.training import Epoch, State, crops_of, guided_training, members_of
from mgsweep.trial import Probe, Trial

GOLDEN = Path(__file__).parents[1] / "golden"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> Data:
    return Data(("a", "b", "c"), "none", random_split(1), random_split(2), random_split(3, 6))


def trial(**fields: Any) -> Trial:
    guided = {"attribution": "bcos", "depth": "mid2", "loss": "energy", "lambda_loc": 0.01}
    return Trial(
        **{
            "dataset": "shapes", "model": "bcos", "backbone": "resnet10", "epochs": 3, "batch_size": 5,
            "image_size": SIZE, "learning_rate": 1e-3, **({} if fields.get("loss") == "none" else guided), **fields,
        }
    )  # fmt: skip


# The step


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    with np.load(GOLDEN / "models.npz") as stored:
        arrays = {"images": torch.tensor(stored["images"]), "classes": torch.tensor(stored["classes"])}
    return arrays | json.loads((GOLDEN / "train_step.json").read_text())


CASES = json.loads((GOLDEN / "train_step.json").read_text())["cases"]


# -log of a pixel far below the largest amplifies float32's rounding: so far from double precision (in which ours equals
# plain double backward) are the stored numbers themselves.
ROUNDING = {"bcos_Input_PPCE": 1e-3, "vanilla_Input_PPCE": 2e-3, "bcos_Final_PPCE": 2e-2}


@pytest.mark.parametrize("case", CASES)
def test_published_step(published: dict[str, Any], case: str) -> None:
    """BCE, guidance loss and the norm of every gradient, second order included, of one guided step of ResNet-18."""
    model_name, depth, loss = case.split("_")
    attribution = {"vanilla": "ixg", "xdnn": "ixg", "bcos": "bcos"}[model_name]
    model = filled(model_name, "resnet18", 20).train(model_name == "bcos")  # as the numbers were made
    (reading,) = model.read(published["images"].float(), [depth.lower()])
    labels = published_labels(published)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(reading.logits, labels)
    maps = ATTRIBUTIONS[attribution](reading, published["classes"])
    masks = boxes.masks([torch.tensor(box) for box in published["boxes"]], 64)
    guidance = LOSSES[loss.lower()](maps, masks).sum()
    expected = CASES[case]
    (entropy + expected["lambda"] * guidance).backward()
    assert entropy.item() == pytest.approx(expected["bce"], rel=1e-4)
    assert guidance.item() == pytest.approx(expected["loc_sum"], rel=1e-4)
    tolerance = ROUNDING.get(case, 1e-4)
    prefix = "0." if model_name == "bcos" else ""
    for name, parameter in model.network.named_parameters():
        norm = expected["grad_norms"][name if name in expected["grad_norms"] else name.removeprefix(prefix)]
        assert float(parameter.grad.norm()) == pytest.approx(norm, rel=tolerance, abs=1e-6), name


def published_labels(published: dict[str, Any]) -> Tensor:
    return torch.nn.functional.one_hot(published["classes"], 20).float()


def step_loss(given: Trial, split: Split, index: list[int], classes: list[int], usable: list[bool]) -> Tensor:
    model = filled(given.model, classes=CLASSES).train()
    loss, _ = guided_loss(
        given, model, split, torch.tensor(index), torch.tensor(classes), torch.tensor(usable), torch.device("cpu")
    )
    return loss


def test_the_guidance_loss_is_summed_over_images(data: Data) -> None:
    """Not averaged: a step whose batch is repeated has twice the guidance loss (and equal batch statistics)."""
    classes = data.train.labels[:2].int().argmax(1).tolist()

    def guidance(given: Trial, index: list[int]) -> float:
        both = classes if len(index) == 2 else classes * 2
        plain = step_loss(given.model_copy(update={"lambda_loc": 0.0}), data.train, index, both, [True] * len(index))
        return (step_loss(given, data.train, index, both, [True] * len(index)) - plain).item()

    once, twice = guidance(trial(lambda_loc=1.0), [0, 1]), guidance(trial(lambda_loc=1.0), [0, 1, 0, 1])
    assert twice == pytest.approx(2 * once, rel=1e-4)


def test_only_annotated_images_are_guided(data: Data) -> None:
    classes = data.train.labels[:4].int().argmax(1).tolist()
    plain = step_loss(trial(loss="none"), data.train, [0, 1, 2, 3], classes, [True] * 4)
    none = step_loss(trial(), data.train, [0, 1, 2, 3], classes, [False] * 4)
    some = step_loss(trial(), data.train, [0, 1, 2, 3], classes, [True, False, False, False])
    assert torch.equal(plain, none)
    assert some > plain


def test_a_box_shrunk_to_nothing_costs_nothing_and_is_counted() -> None:
    images, labels = torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8), torch.tensor([[True], [True]])
    images[:, :, :9] = 200
    split = split_of(images, labels, [[[4, 4, 4, 20]], [[2, 2, 9, 9]]])
    for loss in LOSSES:
        given = trial(loss=loss, lambda_loc=1.0)
        model = filled("bcos", classes=1).train()
        arguments = (torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([True, True]), CPU)
        total, parts = guided_loss(given, model, split, *arguments)
        assert total.isfinite()
        assert parts[2:].tolist() == [1, 1]  # one image guided, one mask empty


def test_masks_follow_the_trial(data: Data) -> None:
    pairs = torch.arange(4)
    inside = guidance_masks(trial(), data.train, pairs, CPU)
    assert torch.equal(inside, boxes.masks(data.train.boxes[pairs], SIZE))
    assert torch.equal(guidance_masks(trial(guidance_region="outside"), data.train, pairs, CPU), ~inside)
    dilated = guidance_masks(trial(bbox_dilation=0.5), data.train, pairs, CPU)
    assert (dilated >= inside).all()
    assert dilated.sum() > inside.sum()
    segmented = guidance_masks(trial(guidance_source="mask"), data.train, pairs, CPU)
    assert torch.equal(segmented, data.train.segmentation(pairs, CPU))


def test_classes_are_drawn_from_an_images_own_uniformly() -> None:
    labels = torch.tensor([[True, False, True], [False, True, False], [False, False, False]])
    draws = torch.stack([drawn_classes(labels, torch.Generator().manual_seed(seed)) for seed in range(400)])
    assert set(draws[:, 0].tolist()) == {0, 2}
    assert 150 < (draws[:, 0] == 0).sum() < 250
    assert draws[:, 1].eq(1).all()
    assert draws[:, 2].eq(0).all()  # without a label: any class, as it is never used


# The epochs


def run(given: Trial, data: Data, **options: Any) -> list[Epoch]:
    return list(guided_training(given, data, **options))


COST = ("seconds", "peak_memory")


def scores(epochs: list[Epoch]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key not in COST} for epoch in epochs for row in epoch.rows]


def through_bytes(state: State) -> State:
    """A state as it comes back from disk."""
    members = {epoch: load_weights(dump_weights(weights)) for epoch, weights in state.members.items()}
    return load_state(dump_state(state), members)[0]


@pytest.mark.parametrize("augmentation", ["none", "crop_flip"])
@pytest.mark.parametrize("model", ["vanilla", "xdnn", "bcos"])
def test_resuming_anywhere_gives_the_same_bits(data: Data, model: str, augmentation: str) -> None:
    fields = {"attribution": "bcos" if model == "bcos" else "ixg", "augmentation": augmentation, "bbox_fraction": 0.5}
    given = trial(model=model, **fields, probes=(Probe("gradcam", "final"),))
    whole = run(given, data)
    for cut, epoch in enumerate(whole):
        rest = run(given, data, resume=through_bytes(epoch.state))
        assert scores(rest) == scores(whole[cut + 1 :])
        for name, value in (rest or whole)[-1].state.network.items():
            assert torch.equal(value, whole[-1].state.network[name]), name


def test_the_yielded_state_is_a_snapshot(data: Data) -> None:
    """Training on must not change a state that was yielded before."""
    epochs = guided_training(trial(), data)
    first = next(epochs).state
    before = copy.deepcopy(first)
    next(epochs)
    for name, value in before.network.items():
        assert torch.equal(value, first.network[name])
    assert str(before.optimiser["state"][0]) == str(first.optimiser["state"][0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux forgets the peak of a process")
def test_the_peak_memory_is_not_that_of_the_trial_before(data: Data) -> None:
    large = np.ones(1_000_000_000, dtype=np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    del large
    peaks = [row["peak_memory"] for epoch in run(trial(epochs=1), data) for row in epoch.rows]
    assert 0 < max(peaks) < before - 500_000_000


def test_a_gpu_forgets_its_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", forgotten.append)
    forget_peak(torch.device("cuda", 1))
    assert forgotten == [torch.device("cuda", 1)]


def test_rows_of_a_guided_trial(data: Data) -> None:
    given = trial(probes=(Probe("gradcam", "final"),))
    epochs = run(given, data)
    kept = sorted(epochs[-1].state.members)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, *kept]
    for epoch in epochs[:3]:
        assert [(row["split"], row["probe_attribution"]) for row in epoch.rows] == [
            ("train", "bcos"), ("val", "bcos"), ("val", "gradcam"),
        ]  # fmt: skip
        assert all(0 <= row["epg"] <= 1 and row["pairs"] == len(data.val.pairs) for row in epoch.rows[1:])
    for epoch in epochs[3:]:
        assert [(row["split"], row["probe_attribution"]) for row in epoch.rows] == [
            ("test", "bcos"),
            ("test", "gradcam"),
        ]


def test_rows_of_a_baseline(data: Data) -> None:
    """Classified at every epoch, explained only at its best one, on validation and test."""
    probes = (Probe("bcos", "input"), Probe("gradcam", "final"))
    epochs = run(trial(loss="none", probes=probes), data)
    assert [[row["split"] for row in epoch.rows] for epoch in epochs] == [["train", "val"]] * 3 + [
        ["val"] * 2 + ["test"] * 2
    ]
    assert all(row["probe_depth"] is None for epoch in epochs[:3] for row in epoch.rows)
    assert epochs[-1].number == best_epoch(epochs[2].state.rows)
    assert list(epochs[-1].state.members) == [epochs[-1].number]


def test_a_probe_added_later_is_measured_without_training(data: Data) -> None:
    first, second = Probe("bcos", "input"), Probe("gradcam", "mid3")
    before = run(trial(loss="none", probes=(first,)), data)
    state = before[-1].state
    kept = State(epoch=3, rows=state.rows, members=state.members)  # what a record and the kept weights still tell
    (added,) = run(trial(loss="none", probes=(first, second)), data, resume=kept)
    at_once = run(trial(loss="none", probes=(first, second)), data)[-1]
    assert scores([added]) == [row for row in scores([at_once]) if row["probe_attribution"] == "gradcam"]
    assert run(trial(loss="none", probes=(first, second)), data, resume=added.state) == []


def test_a_guided_trial_starts_where_its_baseline_was_best(data: Data) -> None:
    """At a vanishing learning rate the first epoch measures the start itself."""
    baseline = run(trial(model="xdnn", loss="none", probes=(Probe("ixg", "mid2"),)), data)[-1]
    child = trial(model="xdnn", attribution="ixg", learning_rate=1e-12, epochs=1)
    first = run(child, data, start=baseline.state.members[baseline.number])[0]
    before, after = baseline.rows[0], first.rows[1]
    assert after["f1"] == before["f1"]
    assert after["epg"] == pytest.approx(before["epg"], rel=1e-3)


def test_guidance_pulls_attributions_into_the_boxes(data: Data) -> None:
    """On its own training images, which a net can learn by heart."""
    same = replace(data, val=data.train)
    given = {"model": "vanilla", "attribution": "ixg", "depth": "final", "epochs": 12}
    plain = run(trial(lambda_loc=1e-9, **given), same)[11].rows[1]
    guided = run(trial(lambda_loc=0.5, **given), same)[11].rows[1]
    assert guided["epg"] > plain["epg"] + 0.1


def test_seeds_and_settings_change_the_run(data: Data) -> None:
    base = scores(run(trial(epochs=1), data))
    assert scores(run(trial(epochs=1), data)) == base
    for other in ({"seed": 1}, {"lambda_loc": 0.5}, {"loss": "l1"}, {"bbox_fraction": 0.1}, {"depth": "input"},
                  {"augmentation": "crop_flip"}, {"guidance_source": "mask"}):  # fmt: skip
        assert scores(run(trial(epochs=1, **other), data)) != base, other


def test_a_loss_that_is_not_finite_ends_the_trial(data: Data) -> None:
    epochs = guided_training(trial(learning_rate=1e20, model="vanilla", attribution="ixg"), data)
    with pytest.raises(Diverged, match="epoch"):
        list(epochs)


def test_only_images_with_a_mask_are_guided_by_masks(data: Data) -> None:
    """Here about half of the pairs have one; the drawn class of an image decides."""
    partly = replace(data, train=random_split(1, 40, segmented=0.5))
    by_mask, by_box = (run(trial(guidance_source=by, epochs=1), partly)[0].rows[0] for by in ("mask", "box"))
    classes = drawn_classes(partly.train.labels, generator(0, "classes", 1))
    pairs = partly.train.pair_of[torch.arange(40), classes]
    assert by_box["pairs"] == 40
    assert by_mask["pairs"] == int(partly.train.segmented(pairs).sum())
    assert 5 < by_mask["pairs"] < 35


def test_crops_are_new_in_every_epoch_and_with_every_seed(data: Data) -> None:
    def corners(epoch: int, **fields: Any) -> Tensor:
        crops = crops_of(trial(augmentation="crop_flip", **fields), data.train, epoch)
        assert crops is not None
        return crops.boxes

    first = corners(1)
    assert torch.equal(first, corners(1, loss="l1"))
    assert not torch.equal(first, corners(2))
    assert not torch.equal(first, corners(1, seed=1))
    assert crops_of(trial(), data.train, 1) is None


# What is kept


def rows_with(values: list[tuple[float, float, float]]) -> tuple[dict[str, Any], ...]:
    own = {"probe_attribution": "bcos", "probe_depth": "mid2", "split": "val"}
    return tuple({"epoch": n, "f1": f1, "epg": epg, "iou": iou, **own} for n, (f1, epg, iou) in enumerate(values, 1))


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([(0.5, 0.5, 0.5)], {1}),
        ([(0.5, 0.5, 0.5), (0.6, 0.4, 0.5), (0.4, 0.4, 0.4)], {1, 2}),
        ([(0.5, 0.5, 0.5), (0.501, 0.5, 0.5)], {1, 2}),  # one bin, so the front keeps the first; best F1 is the second
        ([(0.5, 0.5, 0.5), (0.5, 0.5, 0.5)], {1}),
        ([(0.5, 0.5, 0.5), (0.5, math.nan, 0.9)], {1}),
    ],
)
def test_members(values: list[tuple[float, float, float]], kept: set[int]) -> None:
    assert members_of(trial(), rows_with(values)) == kept


def test_a_further_probe_keeps_its_own_front() -> None:
    """Where a figure measures at Input what was guided at Mid2, the epochs that are best there are tested, too."""
    rows = rows_with([(0.9, 0.5, 0.5), (0.8, 0.4, 0.4), (0.7, 0.3, 0.3), (0.6, 0.2, 0.2)])
    at_input = [(0.3, 0.1), (0.5, 0.2), (0.4, 0.9), (0.6, 0.3)]  # IoU does not keep the third
    further = tuple(
        {**row, "probe_depth": "input", "epg": epg, "iou": iou} for row, (epg, iou) in zip(rows, at_input, strict=True)
    )
    assert members_of(trial(), (*rows, *further)) == {1}
    assert members_of(trial(probes=(Probe("bcos", "input"),)), (*rows, *further)) == {1, 2, 4}
    outside = trial(probes=(Probe("bcos", "input"),), guidance_region="outside")
    assert members_of(outside, (*rows, *further)) == {1, 2, 3, 4}
    assert members_of(trial(loss="none", probes=(Probe("bcos", "input"),)), rows) == {1}


def test_weights_that_were_dropped_are_not_taken_for_later_ones(data: Data) -> None:
    """A trial that is resumed with a probe that its first epochs were not kept for."""
    given = trial(probes=(Probe("bcos", "input"),))
    epochs = list(itertools.islice(guided_training(given, data), 2))
    scores = {1: (0.1, 0.9), 2: (0.9, 0.5)}  # the first epoch is on the front at Input, which none asked for then
    rows = tuple(
        row
        | dict(zip(("f1", "epg"), scores[row["epoch"]] if row["probe_depth"] == "input" else (0.5, 0.5), strict=True))
        for row in epochs[-1].state.rows
    )
    before = replace(epochs[-1].state, rows=rows, members={2: epochs[-1].state.network})
    state = next(guided_training(given, data, resume=before)).state
    assert 1 in members_of(given, state.rows)
    assert 1 not in state.members


def test_accuracy_selects_where_there_is_one() -> None:
    """F1 would keep the first two epochs, accuracy keeps the last two. None is what a record holds without one."""
    scored = zip(rows_with([(0.9, 0.5, 0.5), (0.8, 0.6, 0.5), (0.1, 0.4, 0.5)]), (0.2, 0.6, 0.7), strict=True)
    rows = tuple(row | {"accuracy": accuracy} for row, accuracy in scored)
    assert best_epoch(rows) == 3
    assert members_of(trial(), rows) == {2, 3}
    assert best_epoch([row | {"accuracy": None} for row in rows]) == 1


def test_guided_outside_the_front_is_of_little_energy_inside() -> None:
    rows = rows_with([(0.9, 0.5, 0.5), (0.8, 0.6, 0.5), (0.7, 0.2, 0.5)])
    assert members_of(trial(guidance_region="outside"), rows) == {1, 3}


def test_the_threshold_of_the_test_rows_is_that_of_their_validation(data: Data) -> None:
    for loss in ("energy", "none"):
        probes = (Probe("gradcam", "final"), Probe("bcos", "input"))
        rows = run(trial(loss=loss, probes=probes), data)[-1].state.rows
        measured = [row for row in rows if row["probe_depth"] and row["split"] != "train"]
        chosen = {(r["epoch"], r["probe_depth"]): r["iou_threshold"] for r in measured if r["split"] == "val"}
        tested = [row for row in measured if row["split"] == "test"]
        assert tested
        for row in tested:
            threshold = chosen[row["epoch"], row["probe_depth"]]
            assert row["iou_threshold"] == threshold
            assert row["iou_held_out"] == row["iou_by_threshold"][THRESHOLDS.index(threshold)]
        assert len(set(chosen.values())) > 1


def test_weights_of_members_are_those_of_their_epoch(data: Data) -> None:
    epochs = run(trial(epochs=4), data)
    final = epochs[-1].state
    trained = {epoch.number: epoch.state.network for epoch in epochs[:4]}
    assert final.members
    for number, weights in final.members.items():
        assert all(torch.equal(weights[name], trained[number][name]) for name in weights)


def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path) -> None:
    import pickle

    class Payload:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    with pytest.raises(Exception, match="not a readable checkpoint"):
        load_weights(pickle.dumps(Payload(), protocol=2))
    assert not (tmp_path / "ran").exists()

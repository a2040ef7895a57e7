"""Selection from small frames worked out by hand, from random ones by brute force, and from what a sweep may leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import selection
from analysis.selection import CELL, METRICS, PROBE, START, baselines, best, best_of_cells, fronts, gains
from mgsweep.trial import CONFIG, Trial

DEFAULTS = {key: Trial.model_fields[key].default for key in CONFIG} | {"dataset": "voc2007", "model": "bcos"}
BASELINE = {"id": "base", "loss": "none", "lambda_loc": 0.0}
ENERGY = {"attribution": "bcos", "depth": "input", "loss": "energy", "parent": "base"}
INPUT = {"probe_attribution": "bcos", "probe_depth": "input"}
NO_PROBE = dict.fromkeys(PROBE)


def row(trial: dict[str, Any], epoch: int, split: str, probe: dict[str, Any], f1: float, epg: float) -> dict[str, Any]:
    measured = {"f1": f1, "mean_ap": f1 + 0.01, "epg": epg, "iou": 0.3}
    return DEFAULTS | trial | {"epoch": epoch, "split": split} | probe | measured


def small() -> pd.DataFrame:
    """A baseline (best at epoch 2) and two lambdas of three epochs; the validation F1 of the baseline is 0.80."""
    weak, strong = ENERGY | {"id": "weak", "lambda_loc": 0.001}, ENERGY | {"id": "strong", "lambda_loc": 0.01}
    return pd.DataFrame(
        [
            row(BASELINE, 1, "val", NO_PROBE, 0.79, np.nan),
            row(BASELINE, 2, "val", NO_PROBE, 0.80, np.nan),
            row(BASELINE, 2, "val", INPUT, 0.80, 0.50),
            row(BASELINE, 2, "test", INPUT, 0.78, 0.48),
            row(weak, 1, "train", NO_PROBE, 0.90, 0.90),
            row(weak, 1, "val", INPUT, 0.81, 0.52),
            row(weak, 1, "test", INPUT, 0.60, 0.10),  # chosen on validation, whatever test says
            row(weak, 2, "val", INPUT, 0.79, 0.60),
            row(weak, 2, "test", INPUT, 0.78, 0.59),
            row(weak, 3, "val", INPUT, 0.79, 0.58),  # dominated by epoch 2
            row(weak, 3, "test", INPUT, 0.79, 0.70),  # although better on test
            row(strong, 1, "val", INPUT, 0.785, 0.64),  # on the front, but its checkpoint was not kept
            row(strong, 2, "val", INPUT, 0.79, 0.60),  # equal to weak's epoch 2: the smaller lambda stays
            row(strong, 2, "test", INPUT, 0.77, 0.61),
            row(strong, 3, "val", INPUT, 0.70, 0.80),
            row(strong, 3, "test", INPUT, 0.69, 0.79),
        ]
    )


def test_the_front_is_chosen_on_validation_and_shown_on_test() -> None:
    front = fronts(small())
    shown = front[["id", "lambda_loc", "epoch", "f1", "epg", "f1_val", "epg_val"]]
    assert shown.values.tolist() == [
        ["weak", 0.001, 1, 0.60, 0.10, 0.81, 0.52],
        ["weak", 0.001, 2, 0.78, 0.59, 0.79, 0.60],
        ["strong", 0.01, 3, 0.69, 0.79, 0.70, 0.80],
    ]
    assert set(front.columns) == {"id", "epoch", *CONFIG, *PROBE, *METRICS, *(f"{name}_val" for name in METRICS)}


def test_other_objectives() -> None:
    assert fronts(small(), objectives=["f1"])[["id", "epoch"]].values.tolist() == [["weak", 1]]


def test_the_order_of_the_rows_does_not_matter() -> None:
    shuffled = small().sample(frac=1, random_state=1)
    for select in (fronts, baselines, gains):
        pd.testing.assert_frame_equal(select(shuffled), select(small()))


def test_a_trial_in_two_sweeps_counts_once() -> None:
    twice = pd.concat([small().assign(sweep="a"), small().assign(sweep="b")])
    for select in (fronts, baselines, gains):
        pd.testing.assert_frame_equal(select(twice), select(small()))


@pytest.mark.parametrize(
    ("key", "value"), [("seed", 1), ("bbox_fraction", 0.1), ("guidance_source", "mask"), ("parent", "other")]
)
def test_cells_do_not_compete(key: str, value: Any) -> None:
    frame = small()
    other = frame[frame["id"] == "strong"].assign(id="other", **{key: value})
    front = fronts(pd.concat([frame, other]))
    assert front[front["id"] == "other"]["epoch"].tolist() == [2, 3]
    assert front[front["id"] != "other"].shape == fronts(frame).shape


def test_every_probe_has_its_own_front() -> None:
    frame = small()
    final = frame[frame["id"] == "weak"].assign(probe_depth="final", f1=0.5)
    front = fronts(pd.concat([frame, final]))
    assert front.groupby("probe_depth")["epoch"].apply(list).to_dict() == {"final": [2], "input": [1, 2, 3]}


def test_baselines_at_their_best_epoch() -> None:
    frame = small()
    earlier = pd.DataFrame([row(BASELINE, 1, "val", INPUT, 0.79, 0.9), row(BASELINE, 1, "test", INPUT, 0.79, 0.9)])
    final = frame[(frame["id"] == "base") & frame["probe_depth"].notna()].assign(probe_depth="final", epg=0.3)
    start = baselines(pd.concat([frame, earlier, final]))
    assert start[["id", "epoch", "probe_depth", "f1", "epg", "f1_val", "epg_val"]].values.tolist() == [
        ["base", 2, "final", 0.78, 0.30, 0.80, 0.30],
        ["base", 2, "input", 0.78, 0.48, 0.80, 0.50],
    ]


def test_a_baseline_without_test_rows_has_validation_only() -> None:
    frame = small()
    start = baselines(frame[frame["split"] == "val"])
    assert start["f1"].isna().all()
    assert start["f1_val"].tolist() == [0.80]


def test_gains_within_two_points_of_f1() -> None:
    gained = gains(small())
    assert gained[["id", "lambda_loc", "epoch", "f1_val", "f1_val_baseline"]].values.tolist() == [
        ["strong", 0.01, 1, 0.785, 0.80]  # kept or not; 0.70 at EPG 0.80 gives up too much
    ]
    assert gained["epg_gain"].tolist() == pytest.approx([0.14])


def test_accuracy_selects_where_there_is_one() -> None:
    """Epoch 1 of the baseline and epoch 3 of the trial have the lower F1 and the higher accuracy."""
    frame = small()
    first = pd.DataFrame([row(BASELINE, 1, split, INPUT, 0.79, 0.5) for split in ("val", "test")])
    frame = pd.concat([frame[frame["id"] != "strong"], first])
    frame["accuracy"] = frame["epoch"].map({1: 0.9, 2: 0.8, 3: 0.95}).where(frame["id"] == "base", frame["epoch"] / 3)
    assert baselines(frame)["epoch"].tolist() == [1]
    assert best(frame, guided=True)[["id", "epoch", "accuracy_val"]].values.tolist() == [["weak", 3, 1.0]]
    gained = gains(frame)  # 0.9 is needed: epoch 3 alone has it
    assert gained[["epoch", "f1_val_baseline"]].values.tolist() == [[3, 0.79]]
    assert gained.columns.tolist() == gains(small()).columns.tolist()


def test_guided_outside_of_the_boxes_little_energy_in_them_is_a_gain() -> None:
    frame = small()
    outside = frame.assign(guidance_region=np.where(frame["loss"] == "none", "inside", "outside"))
    assert fronts(outside)[["id", "epoch"]].values.tolist() == [["weak", 1]]
    assert gains(outside)["epg_gain"].tolist() == pytest.approx([-0.02])
    higher = fronts(frame.assign(mean_ap=frame["epg"]), ("f1", "mean_ap"))
    turned = fronts(outside.assign(mean_ap=frame["epg"]), ("f1", "mean_ap"))
    assert turned["epoch"].tolist() == higher["epoch"].tolist()  # mean_ap is not of the boxes


@pytest.mark.parametrize(("f1_loss", "expected"), [(0.0, ("weak", 1)), (0.01, ("weak", 2)), (0.2, ("strong", 3))])
def test_gains_with_another_tolerance(f1_loss: float, expected: tuple[str, int]) -> None:
    gained = gains(small(), f1_loss=f1_loss)
    assert gained[["id", "epoch"]].values.tolist() == [list(expected)]


def test_gains_need_an_epoch_that_is_good_enough() -> None:
    assert gains(small(), f1_loss=-0.05).empty


def test_gains_of_each_cell_over_its_own_baseline() -> None:
    frame = small()
    other = frame.assign(id="1" + frame["id"], parent="1" + frame["parent"].astype("str"), seed=1, epg=frame["epg"] / 2)
    gained = gains(pd.concat([frame, other]))
    assert gained[["seed", "id"]].values.tolist() == [[0, "strong"], [1, "1strong"]]
    assert gained["epg_gain"].tolist() == pytest.approx([0.14, 0.07])


@pytest.mark.parametrize("names", ["category", "object", "string[pyarrow]"])
def test_any_type_of_text_column(names: str) -> None:
    frame = small()
    stored = frame.astype({key: names for key in frame.columns if frame[key].dtype == "str"})
    for select in (fronts, baselines, gains):
        pd.testing.assert_frame_equal(select(stored), select(frame), check_dtype=False, check_categorical=False)


NOTHING = {
    "no columns": pd.DataFrame(),
    "no rows": small().head(0),
    "no probes": small().assign(**NO_PROBE),
    "no validation": small().query("split == 'test'"),
    "all NaN": small().assign(f1=np.nan, epg=np.nan),
    "all null": small().assign(f1=None, epg=None, iou=None),
    "baseline alone": small().query("loss == 'none'"),
}


@pytest.mark.parametrize("frame", NOTHING.values(), ids=NOTHING)
def test_nothing_to_select(frame: pd.DataFrame) -> None:
    columns = ["id", "epoch", *PROBE, *CONFIG]
    for select in (fronts, gains):
        assert select(frame).empty
        assert select(frame).columns.tolist()[: len(columns)] == columns
    assert len(baselines(frame)) <= 1


def test_a_missing_baseline_leaves_the_fronts() -> None:
    frame = small()
    for orphans in (frame[frame["loss"] != "none"], frame.assign(parent=None)):
        assert gains(orphans).empty
        assert baselines(orphans).empty == (len(orphans) < len(frame))
        assert len(fronts(orphans)) == 3


def test_one_point() -> None:
    frame = small()
    one = frame[(frame["id"] == "base") | ((frame["id"] == "weak") & (frame["epoch"] == 2))]
    assert fronts(one)["epoch"].tolist() == [2]
    assert gains(one)["epg_gain"].tolist() == pytest.approx([0.10])


def random_frame(seed: int) -> pd.DataFrame:
    """Three cells of three lambdas, eight epochs, about half of them kept; values on a coarse grid, some NaN."""
    generator = np.random.default_rng(seed)
    rows = []
    for cell in range(3):
        start = BASELINE | {"id": f"base{cell}", "seed": cell}
        rows += [row(start, 3, split, INPUT, 0.5, 0.4) for split in ("val", "test")]
        for lambda_loc in (0.1, 0.2, 0.3):
            trial = ENERGY | {
                "id": f"{cell}-{lambda_loc}",
                "lambda_loc": lambda_loc,
                "seed": cell,
                "parent": f"base{cell}",
            }
            for epoch in range(1, 9):
                f1, epg = generator.choice([0.3, 0.4, 0.45, 0.5, 0.6, np.nan], size=2)
                rows.append(row(trial, epoch, "val", INPUT, f1, epg))
                if generator.random() < 0.5:
                    rows.append(row(trial, epoch, "test", INPUT, generator.random(), generator.random()))
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seed", range(5))
def test_random_fronts_by_brute_force(seed: int) -> None:
    frame = random_frame(seed)
    kept = {(r.id, r.epoch) for r in frame[frame["split"] == "test"].itertuples()}
    expected = []
    for _, cell in frame[(frame["split"] == "val") & (frame["loss"] != "none")].groupby("seed"):
        points = [r for r in cell.itertuples() if (r.id, r.epoch) in kept and r.f1 == r.f1 and r.epg == r.epg]
        for i, a in enumerate(points):  # in the order of lambda and epoch, so the first of equals is the one to stay
            better = [b for b in points if b.f1 >= a.f1 and b.epg >= a.epg and (b.f1, b.epg) != (a.f1, a.epg)]
            if not better and (a.f1, a.epg) not in [(b.f1, b.epg) for b in points[:i]]:
                expected.append([a.id, a.epoch, a.f1, a.epg])
    assert fronts(frame)[["id", "epoch", "f1_val", "epg_val"]].values.tolist() == expected


@pytest.mark.parametrize("seed", range(5))
def test_random_gains_by_brute_force(seed: int) -> None:
    frame = random_frame(seed)
    expected = []
    for _, cell in frame[(frame["split"] == "val") & (frame["loss"] != "none")].groupby("seed"):
        good = [r for r in cell.itertuples() if r.f1 >= 0.5 - 0.02 and r.epg == r.epg]
        first = min(good, key=lambda r: (-r.epg, -r.f1, r.lambda_loc, r.epoch))
        expected.append([first.id, first.epoch, first.epg - 0.4])
    assert gains(frame)[["id", "epoch", "epg_gain"]].values.tolist() == expected


def test_a_cell_differs_in_what_is_tuned_alone() -> None:
    assert set(CONFIG) - set(CELL) == {"lambda_loc", "learning_rate", "batch_size", "epochs"}


@pytest.mark.parametrize(("key", "value"), [("learning_rate", 1e-3), ("batch_size", 16), ("epochs", 7)])
def test_what_is_tuned_competes_like_lambda(key: str, value: float) -> None:
    frame = small()
    tuned_too = frame.assign(**{key: frame[key].mask(frame["id"] == "strong", value)})
    for select in (fronts, gains, best_of_cells):
        ours, plain = select(tuned_too), select(frame)
        pd.testing.assert_frame_equal(ours.drop(columns=key), plain.drop(columns=key))
    assert (selection.tuned(tuned_too), selection.tuned(frame)) == ((key,), ())


def two_starts() -> pd.DataFrame:
    """`small`, whose strong trial started from a baseline with another learning rate, and a lower F1 and EPG."""
    frame = small()
    lower = frame[frame["id"] == "base"].assign(id="a-base", learning_rate=1e-2)
    lower[["f1", "epg"]] -= 0.1
    strong = frame["id"] == "strong"
    return pd.concat([frame.assign(parent=frame["parent"].mask(strong, "a-base")), lower])


def test_baselines_are_tuned_too_and_the_best_is_what_a_cell_is_compared_with() -> None:
    frame = two_starts()
    assert fronts(frame)["id"].tolist() == fronts(small())["id"].tolist()
    assert selection.tuned_baselines(frame)[["id", "f1_val"]].values.tolist() == [["base", 0.8]]
    assert len(baselines(frame)) == 2
    pd.testing.assert_frame_equal(gains(frame, 0.2)[[*START, "epg_gain"]], gains(small(), 0.2)[[*START, "epg_gain"]])
    worse = frame.assign(f1=frame["f1"].where(frame["id"] != "base", 0.1))
    assert selection.tuned_baselines(worse)["id"].tolist() == ["a-base"]


@pytest.mark.parametrize(("key", "value"), [("seed", 1), ("image_size", 32), ("weights", "imagenet")])
def test_baselines_that_differ_in_more_stay_apart(key: str, value: Any) -> None:
    frame = two_starts()
    frame[key] = frame[key].mask(frame["id"] == "a-base", value)
    assert set(selection.tuned_baselines(frame)["id"]) == {"a-base", "base"}
    assert fronts(frame).groupby("parent")["epoch"].apply(list).to_dict() == {"a-base": [2, 3], "base": [1, 2]}


def test_only_what_differs_within_a_cell_was_tuned() -> None:
    other = small().assign(dataset="coco2014", epochs=10, batch_size=32)
    assert selection.tuned(pd.concat([small(), other.assign(id="1" + other["id"], parent="1" + other["parent"])])) == ()

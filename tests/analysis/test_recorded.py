"""Selection and figures on published numbers: fronts by brute force, and values that the sources print."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
import recorded
from stored import fill

from analysis.figures import FIGURES, style
from analysis.selection import gains

CURVES, POINTS, DEEPER = recorded.curves(), recorded.points(), recorded.deeper()
SETTING = ["dataset", "model", "attribution", "depth", "loss", "bbox_fraction", "bbox_dilation"]


def brute_force(frame: pd.DataFrame, metric: str) -> set[tuple[str, int]]:
    """(id, epoch) of every front member: on validation, among epochs with a test row, nothing is better or equal."""
    tested = frame[frame["split"] == "test"][["id", "epoch"]].drop_duplicates()
    val = frame[(frame["split"] == "val") & (frame["loss"] != "none")].merge(tested, on=["id", "epoch"])
    val = val.drop_duplicates(["id", "epoch"]).sort_values(["lambda_loc", "epoch", "id"])
    members = set()
    for _, cell in val.groupby(SETTING):
        points = [(row["f1"], row[metric], row["id"], row["epoch"]) for row in cell.to_dict("records")]
        for place, (f1, value, name, epoch) in enumerate(points):
            others = [(x, y) for x, y, *_ in points if x >= f1 and y >= value and (x, y) != (f1, value)]
            if value == value and not others and (f1, value) not in [point[:2] for point in points[:place]]:
                members.add((name, epoch))
    return members


def shown(data: pd.DataFrame) -> set[tuple[str, int]]:
    guided = data[data["loss"] != "none"]
    return set(zip(guided["id"], guided["epoch"], strict=True))


def usual(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["bbox_fraction"] == 1) & (frame["bbox_dilation"] == 0)]


def one(data: pd.DataFrame, **where: object) -> pd.DataFrame:
    for key, value in where.items():
        data = data[data[key] == value]
    return data


def percent(data: pd.DataFrame, metric: str = "epg") -> list[str]:
    """Points as the sources print them."""
    guided = data[data["loss"] != "none"].sort_values("f1")
    return [f"{100 * f1:.1f}/{100 * value:.1f}" for f1, value in zip(guided["f1"], guided[metric], strict=True)]


@pytest.mark.parametrize("metric", ["epg", "iou"])
@pytest.mark.parametrize("frame", [CURVES, POINTS], ids=["curves", "points"])
def test_figures_5_and_6_show_the_brute_force_fronts(frame: pd.DataFrame, metric: str) -> None:
    data = FIGURES[f"{metric}-f1"].load().data(frame)
    assert shown(data) == brute_force(usual(frame), metric)


@pytest.mark.parametrize("metric", ["epg", "iou"])
def test_figure_4_shows_every_epoch_and_the_brute_force_fronts(metric: str) -> None:
    data = FIGURES["checkpoints"].load().data(CURVES)
    data = data[data["metric"] == metric]
    assert shown(data[data["on_front"]]) == brute_force(usual(CURVES), metric)
    everything = usual(CURVES).query("split == 'val' and loss != 'none'").dropna(subset=[metric])
    assert len(data[data["loss"] != "none"]) == len(everything) == 51 * 50


@pytest.mark.parametrize("metric", ["epg", "iou"])
def test_figure_10_shows_the_brute_force_fronts(metric: str) -> None:
    data = FIGURES["dilation"].load().data(POINTS)
    frame = POINTS.query("bbox_fraction == 1 and model == 'bcos' and depth == 'input' and loss in ['energy', 'l1']")
    assert shown(data[data["metric"] == metric]) == brute_force(frame, metric)
    assert sorted(set(data["bbox_dilation"])) == [0, 0.1, 0.25, 0.5]


def test_figure_12_shows_the_brute_force_fronts() -> None:
    data = FIGURES["limited-boxes"].load().data(POINTS)
    frame = POINTS.query("bbox_dilation == 0 and model == 'bcos' and depth == 'input' and loss in ['energy', 'l1']")
    assert shown(data) == brute_force(frame, "epg")
    assert sorted(set(data["bbox_fraction"])) == [0.01, 0.1, 1]


def test_figure_8_from_runs_measured_at_their_own_depth_in_place_of_the_input() -> None:
    data = FIGURES["depths"].load().data(DEEPER)
    assert shown(data) == brute_force(usual(DEEPER), "epg")
    assert set(data["depth"].dropna()) == {"input", "mid2", "final"}
    assert data["speed_up"].isna().all()  # nobody published the seconds


def test_published_test_fronts_of_voc_chosen_on_test_for_want_of_validation() -> None:
    epg = one(FIGURES["epg-f1"].load().data(POINTS), dataset="voc2007", model="bcos", depth="input")
    energy = [
        "75.2/76.1",
        "76.0/75.4",
        "77.0/73.4",
        "78.0/70.8",
        "78.5/69.2",
        "79.0/68.7",
        "79.6/66.6",
        "79.8/64.9",
        "80.4/63.4",
    ]
    assert set(energy) <= set(percent(one(epg, loss="energy")))
    baseline = one(epg, loss="none")
    assert baseline[["f1", "epg"]].values.tolist() == [[0.802191, 0.470338]]
    iou = one(FIGURES["iou-f1"].load().data(POINTS), dataset="voc2007", model="bcos", depth="input")
    assert {"77.9/25.2", "78.7/23.1", "79.8/6.9"} <= set(percent(one(iou, loss="l1"), "iou"))


def test_published_fronts_of_coco_chosen_on_validation_and_shown_on_test() -> None:
    epg = one(FIGURES["epg-f1"].load().data(POINTS), dataset="coco2014", depth="input")
    assert percent(one(epg, model="bcos", loss="energy")) == ["68.2/43.3", "68.7/41.7", "69.2/41.2", "69.6/38.7"]
    assert percent(one(epg, model="xdnn", loss="energy")) == ["64.9/32.4", "65.1/31.7", "65.7/30.9", "66.9/29.7"]
    few = one(FIGURES["limited-boxes"].load().data(POINTS), dataset="coco2014", bbox_fraction=0.01)
    assert percent(one(few, loss="energy")) == ["68.4/43.2", "68.8/42.0"]


def test_what_was_filled_in_is_said() -> None:
    assert CURVES.groupby("split")["filled"].unique().map(set).to_dict() == {
        "test": {"", "test from validation"},
        "val": {"", "validation from test"},
    }
    measured = POINTS[POINTS["filled"] == ""]
    assert set(measured[measured["split"] == "val"]["dataset"]) == {"coco2014"}
    assert set(DEEPER[DEEPER["depth"].isin(["mid2", "final"])]["filled"]) == {"input from own depth"}


def test_energy_gains_the_most_epg_at_two_points_of_f1_over_baselines_whose_epg_is_from_test() -> None:
    best = gains(usual(CURVES)).query("model == 'bcos' and depth == 'input'").set_index("loss")["epg_gain"]
    assert best.idxmax() == "energy"
    assert 0.2 < best["energy"] < 0.3


PAGES = {
    "checkpoints": (CURVES, {"model": "bcos", "depth": "input"}),
    "epg-f1": (CURVES, {}),
    "iou-f1": (POINTS, {"dataset": "coco2014"}),
    "depths": (DEEPER, {}),
    "dilation": (POINTS, {"dataset": "voc2007"}),
    "limited-boxes": (POINTS, {"dataset": "voc2007"}),
    "lambdas": (CURVES, {"depth": "input"}),
    "curves": (CURVES, {"depth": "input"}),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_published_numbers(name: str) -> None:
    frame, page = PAGES[name]
    module = FIGURES[name].load()
    figure = module.draw(one(module.data(frame), **page))
    with style.paper():
        figure.savefig(io.BytesIO(), format="pdf")
    assert all(axes.lines or axes.texts for axes in figure.axes)


def legal(frame: pd.DataFrame) -> pd.DataFrame:
    """With ids as a store takes them."""
    return frame.replace({"id": r"[^a-z0-9-]", "parent": r"[^a-z0-9-]"}, "", regex=True).dropna(subset=["epoch"])


@pytest.mark.parametrize("name", PAGES)
def test_a_store_filled_with_them_gives_the_same_numbers(name: str, tmp_path: Path) -> None:
    frame = legal(PAGES[name][0])
    read = FIGURES[name].load().data(fill(tmp_path / "published", frame).frame())
    expected = FIGURES[name].load().data(frame)
    assert len(read) == len(expected) > 0
    for column in expected.select_dtypes("number"):
        assert sorted(read[column].dropna()) == sorted(expected[column].dropna()), column

"""Attribution maps in the report: that they are the stored ones, and which stay if there is no room for all."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import synthetic
from stored import BASELINE, GUIDED, hung, results, run_of, told

from analysis import report
from analysis.figures.maps import COLORS, relative
from analysis.report.content import content
from analysis.report.pictures import order, pictures
from mgsweep.store import Store
from mgsweep.store.gallery import Gallery

SMALL = synthetic.small()
STORED = hung(SMALL)
ROOM = 1_000_000
PLACE = {name: number for number, name in enumerate(STORED)}
EPOCHS = {name: rows[-1]["epoch"] for name, rows in STORED.items()}


def decoded(src: str) -> np.ndarray:
    """By another reader, in [0, 1]."""
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(src)), format="png")[..., :3]


def test_maps_are_the_stored_ones_at_the_epoch_the_run_is_told_by() -> None:
    name = "energy-0.005-mid2"  # measured at two probes, guided at one of them
    for epoch, nearest in ((1, 2), (2, 2), (3, 3), (9, 3)):
        made = pictures([name], STORED.__getitem__, {name: epoch}, PLACE, ROOM)
        assert [(shown["epoch"], shown["probe"]) for shown in made["maps"]] == [(nearest, "B-cos at Mid2")] * 2
    first = next(row for row in STORED[name] if (row["epoch"], row["probe_depth"], row["image"]) == (3, "mid2", 7))
    expected = matplotlib.colormaps[COLORS]((relative(first["map"]).clip(-1, 1) + 1) / 2)[..., :3]
    np.testing.assert_allclose(decoded(made["maps"][0]["src"]), expected, atol=0.06)  # of 63 colours
    assert made["maps"][0] | {"src": ""} == {
        "epoch": 3, "probe": "B-cos at Mid2", "epg": 4000, "probability": 7500, "src": "",
        "trial": PLACE[name], "image": 0,
    }  # fmt: skip
    assert made["images"][0]["boxes"] == ((0.25, 0.25, 0.75, 0.5),)
    np.testing.assert_array_equal(
        (decoded(made["images"][0]["src"]) * 255).round().astype(np.uint8).tobytes(), first["pixels"]
    )


def test_a_baseline_shows_every_probe_and_images_are_told_once() -> None:
    made = pictures(list(STORED), STORED.__getitem__, EPOCHS, PLACE, ROOM)
    assert len(made["images"]) == 2
    base = {shown["probe"] for shown in made["maps"] if shown["trial"] == PLACE["base"]}
    assert base == {"B-cos at Input", "B-cos at Mid2", "B-cos at Final"}
    assert made["left"] == []


def test_without_room_all_have_a_first_image_before_any_has_a_second() -> None:
    names = [name for name in STORED if name != "base"]
    whole = pictures(names, STORED.__getitem__, EPOCHS, PLACE, ROOM)["maps"]
    size = sum(len(shown["src"]) for shown in whole)
    read: list[str] = []

    def reading(name: str) -> list[dict[str, object]]:
        read.append(name)
        return STORED[name]

    half = pictures(names, reading, EPOCHS, PLACE, most=size // 2 + len(whole[0]["src"]))
    assert {shown["trial"] for shown in half["maps"]} == {PLACE[name] for name in names}
    assert half["left"] == []
    assert len(read) == len(names)
    read.clear()
    few = pictures(names, reading, EPOCHS, PLACE, most=2 * len(whole[0]["src"]) + 9)
    there = {shown["trial"] for shown in few["maps"]}
    assert there == {PLACE[name] for name in names[: len(there)]}
    assert few["left"] == [PLACE[name] for name in names[len(there) :]]
    assert len(read) <= len(there) + 1  # what there is no room for is not read


def test_baselines_come_first_then_fronts_then_gains() -> None:
    trials = pd.DataFrame({"id": list("abcde"), "loss": ["l1", "l1", "none", "l1", "l1"]})
    assert order(trials, {"e"}, {"a": 0.1, "b": 0.2, "e": -1.0}) == ["c", "e", "b", "a", "d"]


@pytest.mark.parametrize(
    "broken", [{"map": b""}, {"pixels": b"12"}, {"side": 9}, {"side": None}, {"map": None}, {"id": "another"}]
)
def test_what_is_no_picture_is_left_out(broken: dict[str, object]) -> None:
    rows = [{**row, **broken} for row in STORED["base"]]
    assert pictures(["base"], lambda name: rows, EPOCHS, PLACE, ROOM) == {"images": [], "maps": [], "left": []}


def test_odd_numbers_are_drawn() -> None:
    odd = np.full((8, 8), np.nan, dtype=np.float16)
    rows = [{**row, "map": odd.tobytes(), "epg": float("nan"), "boxes": None} for row in STORED["base"]]
    made = pictures(["base"], lambda name: rows, EPOCHS, PLACE, ROOM)
    assert {shown["epg"] for shown in made["maps"]} == {None}
    assert content(results(SMALL, pictures={"base": rows}), "mgsweep run x.yaml", live=False)["pictures"] == made


def test_pictures_come_from_the_store_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [BASELINE, GUIDED])
    run_of(BASELINE, store)
    run_of(GUIDED, store)
    gallery = Gallery(store.path)
    for trial in (BASELINE, GUIDED):
        shown = {"id": trial.id, **trial.to_row(), "epoch": 2, "probe_attribution": "bcos", "probe_depth": "input"}
        gallery.hang(trial.id, [{**STORED["base"][0], **shown}], ["cat"])
    path, _ = report.write(store, "mgsweep run demo.yaml", tmp_path)
    assert [shown["trial"] for shown in told(path, "packed-pictures")["maps"]] == [0, 1]
    (store.path / "gallery" / f"{GUIDED.id}.parquet").write_bytes(b"no")
    path, _ = report.write(store, "mgsweep run demo.yaml", tmp_path)
    assert [shown["trial"] for shown in told(path, "packed-pictures")["maps"]] == [0]

"""Experiments that no figure has a series for (weights, image size and the like) are drawn on pages of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic import DEFAULTS, HOSTILE, pictures, rich, small, store, with_classes

from analysis.figures import FIGURES, _points, published, save
from analysis.figures.points import APART, experiments
from analysis.selection import guided_trials

OTHERS = {
    "weights": "imagenet",
    "image_size": 64,
    "augmentation": "crop_flip",
    "precision": "bf16",
    "start": "weights",
}
STARTED_ALIKE = ("precision", "start")
"""Keys that a baseline need not share with the trials that start from it."""


def full(name: str) -> pd.DataFrame:
    return pictures() if FIGURES[name].reads == "pictures" else rich()


def other(frame: pd.DataFrame, key: str = "weights", value: Any = None) -> pd.DataFrame:
    """The same trials of another experiment, whose F1 is higher; their ids sort before the first ones'."""
    renamed = {name: "0" + frame[name] for name in ("id", "parent")}
    higher = {name: frame[name] + 0.05 for name in ("f1", "f1_val") if name in frame}
    return frame.assign(**renamed, **higher, **{key: OTHERS[key] if value is None else value})


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"search"}))
def test_each_is_drawn_as_if_it_were_alone(name: str) -> None:
    apart = {"random": full(name), "imagenet": other(full(name))}
    together = pd.concat(apart.values())
    data, keys = _points(FIGURES[name], together, guided_trials(together), reference=False)
    assert keys == ["weights"]
    for weights, frame in apart.items():
        own = data[data["weights"] == weights].drop(columns="weights").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, FIGURES[name].load().data(frame))


@pytest.mark.parametrize("key", APART)
def test_pages_files_and_numbers_tell_what_differs(key: str, tmp_path: Path) -> None:
    assert set(OTHERS) == set(APART)
    frame = small().query("depth != 'mid2' and depth != 'final' and probe_depth == 'input'")
    paths = save("epg-f1", pd.concat([frame, other(frame, key)]), tmp_path)
    values = [str(value) for value in sorted({DEFAULTS[key], OTHERS[key]})]
    assert [path.stem for path in paths[::4]] == [f"epg-f1-{value}" for value in values]
    for value, path in zip(values, paths[3::4], strict=True):
        told = pd.read_csv(path)
        assert (told[key].astype(str) == value).all()
        assert (told["loss"] == "none").sum() == 1


@pytest.mark.parametrize("key", STARTED_ALIKE)
def test_trials_of_one_baseline_are_told_apart_too(key: str) -> None:
    frame = small()
    more = frame.query("loss != 'none'").assign(id=lambda rows: "0" + rows["id"], **{key: OTHERS[key]})
    together = pd.concat([frame, more])
    parts = list(experiments(together, guided_trials(together)))
    assert [values for values, _ in parts] == [{key: value} for value in sorted([DEFAULTS[key], OTHERS[key]])]
    assert all("base" in set(part["id"]) and len(part) == len(frame) for _, part in parts)


def test_a_note_says_which_experiment_a_page_shows() -> None:
    module, together = FIGURES["epg-f1"].load(), pd.concat([small(), other(small(), "image_size")])
    data, _ = _points(FIGURES["epg-f1"], together, guided_trials(together), reference=False)
    notes = " ".join(module.draw(data[data["image_size"] == 64]).get_supxlabel().split())
    assert notes.startswith("VOC 2007, ResNet-50, image size 64: test results")
    augmented = data.assign(augmentation="none").drop(columns="image_size")
    assert "ResNet-50, augmentation none: test" in " ".join(module.draw(augmented).get_supxlabel().split())


def test_networks_that_differ_stand_beside_each_other() -> None:
    frame = store(("energy",))
    frame["weights"] = frame["model"].map({"vanilla": "random", "bcos": "imagenet"})
    [(values, part)] = experiments(frame, guided_trials(frame))
    assert (values, part is frame) == ({}, True)


def test_frames_need_not_tell_everything() -> None:
    frame = small().drop(columns=[*APART])
    [(values, part)] = experiments(frame, guided_trials(frame))
    assert (values, part is frame) == ({}, True)


def test_a_search_is_one_course() -> None:
    frame = pd.concat([small(), other(small())])
    data, keys = _points(FIGURES["search"], frame, guided_trials(frame), reference=False)
    assert (len(data), keys) == (guided_trials(frame)["id"].nunique(), [])


def test_published_points_lie_behind_each() -> None:
    frame = pd.concat([small(), other(small())])
    data, _ = _points(FIGURES["epg-f1"], frame, guided_trials(frame), reference=True)
    theirs = published.apart(data)[1]["weights"].value_counts()
    assert theirs["random"] == theirs["imagenet"] > 0


def test_the_names_of_classes_are_known_to_each() -> None:
    frame = with_classes(pd.concat([small(), other(small())], ignore_index=True))
    frame.attrs["classes"] = {"voc2007": ["cat", "dog"]}
    data, _ = _points(FIGURES["class-epg"], frame, guided_trials(frame), reference=False)
    assert set(data["class"]) == {"cat", "dog"}


def test_weights_that_no_file_can_be_named_after(tmp_path: Path) -> None:
    frame = small().query("probe_depth == 'input' and loss != 'l1' and depth != 'mid2' and depth != 'final'")
    paths = save("epg-f1", pd.concat([frame, other(frame, "weights", HOSTILE)]), tmp_path)
    assert len(set(paths)) == 8
    assert sorted(paths) == sorted(tmp_path.glob("[!.]*"))

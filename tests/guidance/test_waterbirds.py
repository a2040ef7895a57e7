"""Waterbirds-100: both tasks on the same images, the groups kept in each split, and every mistake of a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import waterbirds_folder
from PIL import Image
from waterbirds_folder import BIRDS

from mgsweep.errors import InvalidInput
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets.cache import annotated, prepare
from mgsweep.guidance.datasets.waterbirds import BOXES, IMAGES, METADATA, waterbirds, waterbirds_reversed
from mgsweep.runner.places import Places

PACK = Path(os.environ.get("MGSWEEP_PACKS", Path(__file__).parents[3] / "shared" / "data")) / "waterbirds100"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return waterbirds_folder.write(tmp_path / "data")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def mistakes(root: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        _ = waterbirds(root).splits
    return str(caught.value)


def test_groups_of_each_split(root: Path) -> None:
    """Training agrees, validation keeps the two groups that do, test has all."""
    splits = waterbirds(root).splits
    groups = {split: [sample.group for sample in splits[split]] for split in SPLITS}
    assert groups == {"train": [0] * 5 + [3] * 3, "val": [0, 3] * 2, "test": [1, 2]}


def test_the_two_tasks_ask_for_bird_and_background(root: Path) -> None:
    birds, places = waterbirds(root), waterbirds_reversed(root)
    assert (birds.classes, places.classes) == (("landbird", "waterbird"), ("land", "water"))
    assert birds.fingerprint != places.fingerprint
    for task, column in ((birds, 0), (places, 1)):
        labels = [sample.instances[0].label for sample in task.splits["test"]]
        assert labels == [bird[column] for bird in BIRDS["test"]]
    boxes = [sample.instances[0].box for sample in birds.splits["test"]]
    assert boxes == [sample.instances[0].box for sample in places.splits["test"]] == [(10, 5, 30, 35)] * 2


def test_both_tasks_read_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGSWEEP_DATA", str(tmp_path))
    assert Places(tmp_path).root("waterbirds_reversed") == tmp_path / "waterbirds"
    assert Places(tmp_path, {"waterbirds": tmp_path / "w"}).root("waterbirds_reversed") == tmp_path / "w"


def test_groups_are_decoded(root: Path, tmp_path: Path) -> None:
    data = prepare("waterbirds", root, 32, tmp_path / "cache")
    assert data.train.groups is not None
    assert data.train.groups.tolist() == [0] * 5 + [3] * 3
    assert torch.equal(data.train.labels.int().argmax(1), data.train.groups // 2)


def test_one_percent_of_the_boxes_are_47() -> None:
    assert int(annotated(4795, 0.01, 0).sum()) == 47


def test_a_box_over_the_border_is_cut(root: Path) -> None:
    edit(root / BOXES, "1 10.0 5.0 20.0 30.0\n2", "1 10.0 5.0 90.0 30.0\n2")
    assert waterbirds(root).splits["train"][0].instances[0].box == (10, 5, 50, 35)


def test_a_changed_image_changes_the_fingerprint(root: Path) -> None:
    before = waterbirds(root).fingerprint
    Image.new("RGB", (50, 40)).save(root / IMAGES / "001.Bird/bird_1.jpg")
    assert waterbirds(root).fingerprint != before


@pytest.mark.parametrize("name", [METADATA, "bounding_boxes.txt"])
def test_a_missing_list(root: Path, name: str) -> None:
    path = root / (BOXES if name != METADATA else f"{IMAGES}/{METADATA}")
    path.unlink()
    with pytest.raises(InvalidInput, match=f"{name}: cannot read the file .*; it comes with"):
        waterbirds(root)


SPOILT = {
    "a training image that disagrees": ("1,001.Bird/bird_1.jpg,0,0,0", "1,001.Bird/bird_1.jpg,0,0,1", "line 2, place"),
    "an unknown split": ("bird_2.jpg,0,0,0", "bird_2.jpg,0,7,0", "line 3, split: expected one of 0, 1, 2, got '7'"),
    "a label that is no number": ("bird_2.jpg,0,0,0", "bird_2.jpg,x,0,0", "line 3, y: expected one of 0, 1, got 'x'"),
    "a path that climbs out": ("002.Bird/bird_2.jpg", "../bird_2.jpg", "expected folder/name.jpg, got '../bird_2.jpg'"),
    "an image listed twice": (
        "2,002.Bird/bird_2.jpg",
        "1,002.Bird/bird_2.jpg",
        "img_id: '1' is given before, in line 2",
    ),
    "an image that is not there": (
        "002.Bird/bird_2.jpg",
        "002.Bird/bird_x.jpg",
        "bird_x.jpg: missing, though the meta",
    ),
    "a line cut short": (
        "2,002.Bird/bird_2.jpg,0,0,0,/l/lake/2.jpg",
        "2,002.Bird/bird_2.jpg",
        "y: expected one of 0, 1",
    ),
    "another table": ("img_id,", "id,", "img_id: missing in the first line"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_mistakes_in_the_metadata(root: Path, name: str) -> None:
    old, new, message = SPOILT[name]
    edit(root / IMAGES / METADATA, old, new)
    assert message in mistakes(root)


@pytest.mark.parametrize("line", ["2 10 5 20", "2 10 5 nan 30", "2 10 5 -1 30", "2 a b c d"])
def test_mistakes_in_the_boxes(root: Path, line: str) -> None:
    edit(root / BOXES, "\n2 10.0 5.0 20.0 30.0", f"\n{line}")
    said = mistakes(root)
    assert f"line 2: expected the image's id, x, y, width and height, numbers from 0 in pixels, got '{line}'" in said
    assert "image 2: has no box" in said


def test_all_mistakes_are_told_at_once(root: Path) -> None:
    edit(root / IMAGES / METADATA, "bird_2.jpg,0,0,0", "bird_2.jpg,0,7,0")
    (root / IMAGES / "003.Bird/bird_3.jpg").write_bytes(b"")
    edit(root / BOXES, "4 10.0 5.0 20.0 30.0\n5", "5")
    said = mistakes(root)
    assert "line 3, split" in said
    assert "bird_3.jpg: cannot decode the image: the file is empty" in said
    assert "image 4: has no box" in said


def test_a_split_without_images(root: Path) -> None:
    text = (root / IMAGES / METADATA).read_text().splitlines()
    (root / IMAGES / METADATA).write_text("\n".join(line for line in text if ",2," not in line))
    assert "test: expected one image or more, there is none" in mistakes(root)


@pytest.mark.skipif(not PACK.exists(), reason="needs the pack of real images")
def test_the_pack() -> None:
    splits = waterbirds(PACK).splits
    assert {split: len(samples) for split, samples in splits.items()} == {"train": 640, "val": 80, "test": 401}

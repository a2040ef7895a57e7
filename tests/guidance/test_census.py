"""Counts of a data set, against counting by hand, and images that are in two splits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import voc_folder
from voc_folder import OBJECT, annotation, box

from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.datasets.census import census, duplicates


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Of the three validation images one has no object, and one a speck beside a dog."""
    folder = voc_folder.write(tmp_path / "data")
    (folder / "Annotations/000006.xml").write_text(annotation(""))
    speck = OBJECT.format("cat", 0, box(5, 6, 5, 7))
    (folder / "Annotations/000007.xml").write_text(annotation(speck + OBJECT.format("dog", 0, box(1, 1, 9, 9))))
    return tmp_path / "data"


def test_counts_by_hand(root: Path) -> None:
    train, val, test = census(DATASETS["voc2007"](root), 32)
    assert (train.images, train.unlabelled, train.pairs, train.boxes, train.shrunk) == (6, 0, 12, 18, 0)
    assert (val.images, val.unlabelled, val.pairs, val.boxes, val.shrunk, val.unguidable) == (3, 1, 4, 5, 1, 1)
    assert {name: count for name, count in test.per_class.items() if count} == {"cat": 4, "dog": 4}


def test_counts_are_those_of_the_decoded_data(root: Path, tmp_path: Path) -> None:
    """The referee is what training sees: the boxes' masks."""
    data = prepare("voc2007", root, 32, tmp_path / "cache")
    for count in census(DATASETS["voc2007"](root), 32):
        split = getattr(data, count.split)
        sides = split.boxes[..., 2:] - split.boxes[..., :2]
        empty = ~(sides > 0).all(-1).any(-1)
        assert (count.pairs, count.unguidable) == (len(split.pairs), int(empty.sum()))
        assert list(count.per_class.values()) == split.labels.sum(0).tolist()


def test_the_same_image_in_two_splits_is_noted(root: Path) -> None:
    images = root / "VOCdevkit/VOC2007/JPEGImages"
    assert duplicates(DATASETS["voc2007"](root)) == []
    shutil.copy(images / "000000.jpg", images / "000010.jpg")  # train, test
    shutil.copy(images / "000001.jpg", images / "000002.jpg")  # both train
    (problem,) = duplicates(DATASETS["voc2007"](root))
    assert str(problem) == f"{images / '000010.jpg'}: test: the same image as 000000.jpg in train"

"""Segmentation masks of VOC and COCO, from the files to a pair's mask in the cache, and files that lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coco_folder
import numpy as np
import pytest
import torch
import voc_folder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as rle

from mgsweep.errors import InvalidInput
from mgsweep.guidance.datasets.cache import Split, prepare
from mgsweep.guidance.datasets.coco2014 import CLASSES as COCO_CLASSES
from mgsweep.guidance.datasets.coco2014 import coco2014
from mgsweep.guidance.datasets.coco_segmentation import mask_maker
from mgsweep.guidance.datasets.voc2007 import CLASSES, voc2007

CPU = torch.device("cpu")
SIZE = (50, 40)
"""Width and height of the images of both folders."""


def mask_in(split: Split, image: int, label: int) -> torch.Tensor:
    """The mask of a pair as a batch reads it."""
    return split.segmentation(split.pair_of[image, label][None], CPU)[0]


# COCO's segmentations


def drawn(segmentation: object, size: tuple[int, int] = SIZE) -> np.ndarray:
    maker = mask_maker(segmentation, size)
    assert maker is not None
    return maker()


@given(st.lists(st.booleans(), min_size=12, max_size=12))
def test_runs_against_pycocotools(pixels: list[bool]) -> None:
    """Lengths as a list and as text."""
    mask = np.array(pixels).reshape(3, 4)
    encoded = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    text = {"size": [3, 4], "counts": encoded["counts"].decode()}
    assert np.array_equal(drawn(text, (4, 3)), mask)
    columns = mask.T.ravel()
    edges = np.flatnonzero(np.diff(columns)) + 1
    counts = np.diff([0, *edges, 12]).tolist()
    plain = {"size": [3, 4], "counts": [0, *counts] if columns[0] else counts}
    assert np.array_equal(drawn(plain, (4, 3)), mask)


def test_long_runs_as_text_against_pycocotools() -> None:
    mask = np.random.default_rng(0).random((200, 300)) > 0.999
    encoded = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert np.array_equal(drawn({"size": [200, 300], "counts": encoded["counts"].decode()}, (300, 200)), mask)


def test_polygons_are_united_and_cut_to_the_image() -> None:
    squares = [[5, 5, 15, 5, 15, 15, 5, 15], [30, 20, 900, 20, 900, 900, 30, 900]]
    expected = np.zeros((40, 50), dtype=bool)
    expected[5:15, 5:15] = expected[20:, 30:] = True
    assert np.array_equal(drawn(squares), expected)


def test_without_a_segmentation_there_is_no_mask() -> None:
    assert mask_maker(None, SIZE) is None
    assert mask_maker([], SIZE) is None


LIES: dict[str, Any] = {
    "runs that do not fill the image": {"size": [40, 50], "counts": [5, 5]},
    "runs beyond the image": {"size": [40, 50], "counts": [5, 200_000]},
    "runs below 0": {"size": [40, 50], "counts": [-5, 2005]},
    "runs of another image": {"size": [50, 40], "counts": [2000]},
    "text that lies": {"size": [40, 50], "counts": "a" * 99},
    "text that ends too soon": {"size": [40, 50], "counts": "PPPPP0"},
    "no counts": {"size": [40, 50]},
    "true as a run": {"size": [40, 50], "counts": [True, 1999]},
    "two corners": [[1, 1, 5, 5]],
    "an odd number": [[1, 1, 5, 1, 5, 5, 1]],
    "not a number": [[1, 1, 5, float("nan"), 5, 5]],
    "infinite": [[1, 1, 5, float("inf"), 5, 5]],
    "words": [["a"] * 6],
    "a number": 7,
    "a flat polygon": [1, 1, 5, 1, 5, 5],
}


@pytest.mark.parametrize("name", LIES)
def test_segmentations_that_lie_are_told(tmp_path: Path, name: str) -> None:
    root = coco_folder.write(tmp_path / "coco")
    coco_folder.edit(root, "val2014", lambda content: content["annotations"][0].update(segmentation=LIES[name]))
    with pytest.raises(InvalidInput, match="annotation 2000: expected .*; correct it or remove the segmentation"):
        _ = coco2014(root).splits


def test_far_corners_take_no_memory() -> None:
    assert drawn([[0, 0, 1e300, 0, 1e300, 1e300]]).shape == (40, 50)


def test_coco_masks_are_of_pairs_all_of_whose_objects_have_one(tmp_path: Path) -> None:
    """The first image's cats have a polygon and a crowd's runs, the second's only one of two."""
    root, (cat, dog) = coco_folder.write(tmp_path / "coco"), map(COCO_CLASSES.index, ("cat", "dog"))

    def segment(content: dict[str, Any]) -> None:
        by_id = {annotation["id"]: annotation for annotation in content["annotations"]}
        by_id[2000]["segmentation"] = [[0, 0, 25, 0, 25, 20, 0, 20]]
        by_id[2001]["segmentation"] = {"size": [40, 50], "counts": [45 * 40, 5 * 40]}
        by_id[2010]["segmentation"] = [[0, 0, 25, 0, 25, 20, 0, 20]]

    coco_folder.edit(root, "val2014", segment)
    split = prepare("coco2014", root, 20, tmp_path / "cache").test
    expected = torch.zeros(20, 20, dtype=torch.bool)
    expected[:10, :10] = expected[:, 18:] = True
    assert torch.equal(mask_in(split, 0, cat), expected)
    pairs = split.pair_of[[0, 0, 1, 1], [cat, dog, cat, dog]]
    assert split.segmented(pairs).tolist() == [True, False, False, False]
    assert split.masks is not None
    assert len(split.masks) == 1
    assert prepare("coco2014", root, 20, tmp_path / "cache").train.masks is None


# VOC's


def put_classes(folder: Path, name: str, numbers: np.ndarray, mode: str = "P") -> None:
    (folder / "SegmentationClass").mkdir(exist_ok=True)
    image = Image.fromarray(numbers.astype(np.uint8), "L")
    if mode == "P":
        image.putpalette([value for number in range(256) for value in (number, 255 - number, 7)])
    image.convert(mode).save(folder / "SegmentationClass" / f"{name}.png")


def test_voc_masks_are_the_pixels_of_a_class(tmp_path: Path) -> None:
    """Borders (255) are outside; images without a file, seven of eight in the official set, have no mask."""
    folder, (cat, dog) = voc_folder.write(tmp_path / "voc"), map(CLASSES.index, ("cat", "dog"))
    numbers = np.zeros((40, 50))
    numbers[:20, :25], numbers[:, 45:], numbers[20:, :5] = cat + 1, 255, dog + 1
    put_classes(folder, "000000", numbers)
    split = prepare("voc2007", tmp_path / "voc", 20, tmp_path / "cache").train
    expected = torch.zeros(20, 20, dtype=torch.bool)
    expected[:10, :10] = True
    assert torch.equal(mask_in(split, 0, cat), expected)
    assert mask_in(split, 0, dog).nonzero().amin(0).tolist() == [10, 0]
    assert split.segmented(torch.arange(len(split.pairs))).tolist() == [True, True] + [False] * 10


def test_a_changed_segmentation_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = voc_folder.write(tmp_path)
    bare = voc2007(tmp_path).fingerprint
    put_classes(folder, "000000", np.zeros((40, 50)))
    first = voc2007(tmp_path).fingerprint
    put_classes(folder, "000000", np.eye(40, 50))
    assert len({bare, first, voc2007(tmp_path).fingerprint}) == 3


@pytest.mark.parametrize(
    ("numbers", "mode", "message"),
    [
        (np.zeros((40, 50)), "RGB", "expected a palette image of class numbers, got one of mode RGB"),
        (np.zeros((50, 40)), "P", "expected the annotated 50 x 40 pixels, the segmentation has 40 x 50"),
        (None, "", "cannot decode the image: the file is empty"),
    ],
)
def test_segmentations_that_do_not_fit(tmp_path: Path, numbers: np.ndarray | None, mode: str, message: str) -> None:
    folder = voc_folder.write(tmp_path / "voc")
    if numbers is None:
        (folder / "SegmentationClass").mkdir()
        (folder / "SegmentationClass" / "000000.png").touch()
    else:
        put_classes(folder, "000000", numbers, mode)
    with pytest.raises(InvalidInput, match=f"000000.png: {message}"):
        prepare("voc2007", tmp_path / "voc", 20, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]

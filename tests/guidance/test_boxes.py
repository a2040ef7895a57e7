"""Boxes to masks and dilation, against plain loops and the published numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mgsweep.guidance import boxes

STORED = json.loads((Path(__file__).parents[1] / "golden" / "losses_metrics.json").read_text())
SIZE = 24

box = st.lists(st.integers(0, SIZE - 1), min_size=4, max_size=4)
images = st.lists(st.lists(box, max_size=4), min_size=1, max_size=4)


def tensors(images_boxes: list[list[list[int]]]) -> list[torch.Tensor]:
    return [torch.tensor(image, dtype=torch.int64).reshape(-1, 4) for image in images_boxes]


@given(images)
def test_masks_equal_slices(corners: list[list[list[int]]]) -> None:
    """The published way: an end-exclusive slice for each box."""
    expected = torch.zeros(len(corners), SIZE, SIZE, dtype=torch.bool)
    for image, image_boxes in enumerate(corners):
        for xmin, ymin, xmax, ymax in image_boxes:
            expected[image, ymin:ymax, xmin:xmax] = True
    assert torch.equal(boxes.masks(tensors(corners), SIZE), expected)


@given(images)
def test_padding_marks_nothing(corners: list[list[list[int]]]) -> None:
    padded = torch.zeros(len(corners), 6, 4, dtype=torch.int64)
    for image, image_boxes in enumerate(tensors(corners)):
        padded[image, : len(image_boxes)] = image_boxes
    assert torch.equal(boxes.masks(padded, SIZE), boxes.masks(tensors(corners), SIZE))


@pytest.mark.parametrize("fraction", ["0.1", "0.25", "0.5"])
def test_published_dilation(fraction: str) -> None:
    grown = boxes.dilate(tensors(STORED["boxes224"]), float(fraction), 224)
    assert [image.tolist() for image in grown] == STORED["dilated224"][fraction]


@given(box, st.floats(0.01, 1))
def test_dilation_grows_as_python_would(corners: list[int], fraction: float) -> None:
    xmin, xmax = sorted(corners[:2])
    ymin, ymax = sorted(corners[2:])
    dx, dy = int(fraction * (xmax - xmin)), int(fraction * (ymax - ymin))
    expected = [max(xmin - dx, 0), max(ymin - dy, 0), min(xmax + dx, SIZE - 1), min(ymax + dy, SIZE - 1)]
    (grown,) = boxes.dilate(tensors([[[xmin, ymin, xmax, ymax]]]), fraction, SIZE)
    assert grown.tolist() == [expected]


def test_no_dilation_changes_nothing() -> None:
    whole = tensors([[[0, 0, SIZE, SIZE]]])
    assert torch.equal(boxes.dilate(whole, 0, SIZE)[0], whole[0])


def test_half_dilation_doubles_the_sides() -> None:
    (grown,) = boxes.dilate(tensors([[[8, 10, 12, 16]]]), 0.5, SIZE)
    assert grown.tolist() == [[6, 7, 14, 19]]

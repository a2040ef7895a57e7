"""Bad input B33 to B52: what a data set can have wrong, each through the door a user comes by. All or nothing.

What is only unusual is decoded and trained on; what is wrong is named with its file, and nothing is written.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_folder
import numpy as np
import pytest
import torch
import voc_folder
from PIL import Image
from voc_folder import OBJECT, annotation, box

from mgsweep.errors import InvalidInput
from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.cache import Data, prepare
from mgsweep.guidance.datasets.census import census, duplicates
from mgsweep.guidance.training import guided_training
from mgsweep.trial import Trial

SIZE = 32
IMAGE, XML = "JPEGImages/000004.jpg", "Annotations/000004.xml"
CAT = OBJECT.format("cat", 0, box(5, 6, 20, 30))


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return voc_folder.write(tmp_path / "data")


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    return coco_folder.write(tmp_path / "data")


def decoded(folder: Path, name: str = "voc2007") -> Data:
    return prepare(name, folder, SIZE, Path(f"{folder}-cache"))


def refused(folder: Path, name: str = "voc2007") -> str:
    with pytest.raises(InvalidInput) as raised:
        decoded(folder, name)
    cache = Path(f"{folder}-cache")
    assert not [path for path in cache.glob("*") if not path.name.endswith(".lock")], "something was left"
    return str(raised.value)


def trained(data: Data, **fields: Any) -> list[dict[str, Any]]:
    """The rows of one guided epoch; all losses are finite."""
    loss = {"loss": "ppce", "attribution": "ixg", "depth": "input", "lambda_loc": 0.1, **fields}
    trial = Trial(dataset="voc2007", model="vanilla", backbone="resnet10", epochs=1, image_size=SIZE, **loss)
    rows = [row for epoch in guided_training(trial, data) for row in epoch.rows]
    assert all(math.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))
    return rows


# Images and lists


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_b33_missing_split_list(voc: Path, split: str) -> None:
    (voc / f"ImageSets/Main/{split}.txt").unlink()
    assert f"{split}.txt: cannot read the list of the {split} images" in refused(voc)


def test_b34_truncated_jpeg(voc: Path) -> None:
    os.truncate(voc / IMAGE, 700)
    assert "000004.jpg: cannot decode the image" in refused(voc)


def test_b35_empty_image(voc: Path) -> None:
    (voc / IMAGE).write_bytes(b"")
    assert "000004.jpg: cannot decode the image: the file is empty" in refused(voc)


def test_b36_decompression_bomb(voc: Path) -> None:
    Image.new("1", (8000, 8000)).save(voc / IMAGE, "PNG")
    assert (voc / IMAGE).stat().st_size < 20_000
    assert "expected at most 50,000,000 pixels, got 8000 x 8000" in refused(voc)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (65_500, 1)])
def test_b37_extreme_sizes_are_decoded(voc: Path, width: int, height: int) -> None:
    Image.new("RGB", (width, height), (9, 9, 9)).save(voc / IMAGE)
    (voc / XML).write_text(annotation("", width, height))
    assert decoded(voc).train.images[4].unique().tolist() == [9]


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "P", "RGBA", "LA", "1"])
def test_b38_unusual_colours_are_decoded(voc: Path, mode: str) -> None:
    Image.new(mode, (50, 40)).save(voc / IMAGE, "JPEG" if mode == "CMYK" else "PNG")
    assert decoded(voc).train.images.shape == (6, 3, SIZE, SIZE)


def test_b38_animated_gif_named_jpg(voc: Path) -> None:
    frames = [Image.new("P", (50, 40), colour) for colour in (0, 1)]
    frames[0].save(voc / IMAGE, "GIF", save_all=True, append_images=frames[1:])
    assert "000004.jpg: cannot decode the image: expected a JPEG or PNG file" in refused(voc)


def test_b39_exif_rotation_is_not_applied(voc: Path) -> None:
    """Boxes are annotated on the pixels as they are stored; an image saved turned does not fit them and is refused."""
    plain = decoded(voc).train.images[4].clone()
    image = Image.open(voc / IMAGE)
    tag = Image.Exif()
    tag[0x0112] = 6  # turn by 90 degrees to display
    (voc / IMAGE).with_suffix(".tmp").write_bytes((voc / IMAGE).read_bytes())
    image.save(voc / IMAGE, "PNG", exif=tag)
    assert torch.equal(decoded(voc).train.images[4], plain)
    shutil.rmtree(f"{voc}-cache")
    image.rotate(90, expand=True).save(voc / IMAGE)
    assert "expected the annotated 50 x 40 pixels, the image has 40 x 50" in refused(voc)


def test_b40_wrong_extension(voc: Path) -> None:
    pixels = np.full((40, 50, 3), 7, dtype=np.uint8)
    Image.fromarray(pixels).save(voc / IMAGE, "PNG")
    assert decoded(voc).train.images[4].unique().tolist() == [7]
    (voc / IMAGE).write_text("<html><script>alert(1)</script></html>")
    shutil.rmtree(f"{voc}-cache")
    assert "expected a JPEG or PNG file" in refused(voc)


@pytest.mark.parametrize("file", [IMAGE, XML])
def test_b41_link_out_of_the_folder(voc: Path, tmp_path: Path, file: str) -> None:
    (voc / file).rename(tmp_path / "secret")
    (voc / file).symlink_to(tmp_path / "secret")
    assert f"{file}: a link that leads out of the folder" in refused(voc)
    (voc / file).unlink()
    shutil.copy(tmp_path / "secret", (voc / file).with_name("real"))
    (voc / file).symlink_to("real")  # within its folder a link is fine
    decoded(voc)


def test_b41_link_out_of_the_folder_in_coco(coco: Path, tmp_path: Path) -> None:
    image = coco / "val2014" / coco_folder.file_name("val2014", 200)
    image.rename(tmp_path / "secret")
    image.symlink_to(tmp_path / "secret")
    assert "a link that leads out of the folder" in refused(coco, "coco2014")


def test_b42_image_listed_twice_or_in_two_splits(voc: Path) -> None:
    lists = voc / "ImageSets/Main"
    (lists / "train.txt").write_text("000000\n000000\n000001\n")
    (lists / "val.txt").write_text("000006\n000001\n")
    message = refused(voc)
    assert "train.txt:2: 000000: listed before, at " in message
    assert "val.txt:2: 000001: listed before, at " in message


def test_b42_the_same_pixels_under_two_names_are_noted(voc: Path) -> None:
    shutil.copy(voc / "JPEGImages/000000.jpg", voc / "JPEGImages/000006.jpg")
    (note,) = duplicates(DATASETS["voc2007"](voc))
    assert "the same image as 000000.jpg in train" in note.message


def test_b43_unknown_class(voc: Path) -> None:
    (voc / XML).write_text(annotation(OBJECT.format("kat", 0, box(5, 6, 20, 30))))
    assert "000004.xml:3: name: unknown class 'kat'; did you mean 'cat'" in refused(voc)


def test_b44_images_without_labels_are_trained_on(voc: Path) -> None:
    for number in range(5):
        (voc / f"Annotations/{number:06d}.xml").write_text(annotation(""))
    rows = trained(decoded(voc))
    assert rows[0]["pairs"] == 1


# Annotations


@pytest.mark.parametrize(
    "declaration",
    [
        "<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>",
        f"<!ENTITY a '{'ha' * 1000}'>",
        "<!ENTITY a SYSTEM 'file:///etc/passwd'>",
    ],
    ids=["laughs", "quadratic", "external"],
)
def test_b45_xml_entities(voc: Path, declaration: str) -> None:
    (voc / XML).write_text(f"<!DOCTYPE annotation [{declaration}]>\n" + annotation(CAT.replace("cat", "&a;")))
    assert "000004.xml:1: a document type or entity is not accepted" in refused(voc)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><size>", "malformed XML"),
        (f"<annotation>{CAT}</annotation>", "width: missing"),
        (annotation(CAT, width=0), "width: expected the image's width in pixels, a whole number from 1, got 0"),
    ],
    ids=["malformed", "no size", "zero size"],
)
def test_b46_xml_malformed_or_without_size(voc: Path, text: str, message: str) -> None:
    (voc / XML).write_text(text)
    assert message in refused(voc)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ((20, 6, 5, 30), "expected xmin <= xmax"),
        ((-1, 6, 20, 30), "expected a box inside the image"),
        ((5, 6, 51, 30), "expected a box inside the image"),
        (("NaN", 6, 20, 30), "expected a number in pixels, got 'NaN'"),
        (("five", 6, 20, 30), "expected a number in pixels, got 'five'"),
    ],
    ids=["swapped", "negative", "outside", "nan", "word"],
)
def test_b47_impossible_boxes(voc: Path, corners: tuple[object, ...], message: str) -> None:
    (voc / XML).write_text(annotation(OBJECT.format("cat", 0, box(*corners))))
    assert message in refused(voc)


def test_b47_fractions_of_a_pixel_are_read(voc: Path) -> None:
    (voc / XML).write_text(annotation(OBJECT.format("cat", 0, box(5.5, 6.25, "45.5", 3e1))))
    train = decoded(voc).train
    assert train.boxes[train.pair_of[4, 7], 0].tolist() == [3, 5, 29, 24]


def test_b48_a_box_shrunk_to_nothing_costs_nothing_and_is_counted(voc: Path) -> None:
    (voc / XML).write_text(annotation(OBJECT.format("cat", 0, box(5, 6, 5, 7))))
    assert census(DATASETS["voc2007"](voc), SIZE)[0].unguidable == 1
    assert trained(decoded(voc))[0]["masks_empty"] == 1


def test_b49_a_box_of_the_whole_image(voc: Path) -> None:
    for number in range(6):
        whole = OBJECT.format("cat", 0, box(0, 0, 50, 40))
        (voc / f"Annotations/{number:06d}.xml").write_text(annotation(whole))
    data = decoded(voc)
    assert data.train.boxes[:, 0].unique(dim=0).tolist() == [[0, 0, SIZE - 1, SIZE - 1]]
    for loss in ("energy", "l1", "ppce", "rrr"):
        trained(data, loss=loss)


def test_b50_one_object_or_many(voc: Path) -> None:
    (voc / XML).write_text(annotation(CAT))
    (voc / "Annotations/000005.xml").write_text(annotation(CAT * 3))
    train = decoded(voc).train
    assert [int((train.boxes[train.pair_of[n, 7]].any(1)).sum()) for n in (4, 5)] == [1, 3]


def test_b51_json_too_large(coco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgsweep.guidance.datasets.coco_annotation.MAX_BYTES", 100)
    assert "expected at most 100 bytes" in refused(coco, "coco2014")


def first(table: str, **fields: object) -> Callable[[Any], None]:
    return lambda content: content[table][0].update(fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("annotations"), "annotations: missing"),
        (first("annotations", bbox=[1, 2, 3]), "four finite numbers"),
        (first("annotations", id="7"), "expected a whole number as id, got '7'"),
        (first("annotations", image_id=7), "expected the id of an entry of this file as image_id, got 7"),
        (first("annotations", category_id=91), "expected the id of an entry of this file as category_id, got 91"),
        (lambda content: content["annotations"].append(content["annotations"][0]), "the id is given twice"),
    ],
    ids=["no key", "three numbers", "text id", "unknown image", "category gap", "duplicate"],
)
def test_b51_coco_mistakes(coco: Path, change: Callable[[Any], object], message: str) -> None:
    coco_folder.edit(coco, "val2014", change)
    assert message in refused(coco, "coco2014")


def test_b51_no_json(coco: Path) -> None:
    coco_folder.path_of(coco, "val2014").write_text("{'images': []}")
    assert "instances_val2014.json: expected JSON" in refused(coco, "coco2014")


def test_b51_crowds_and_gaps_in_the_categories_count(coco: Path) -> None:
    """The published code counts crowds; category ids have gaps, labels have none."""
    assert any(one["iscrowd"] for one in json.loads(coco_folder.path_of(coco, "val2014").read_text())["annotations"])
    test = decoded(coco, "coco2014").test
    assert test.pairs[:, 1].unique().tolist() == [15, 16]
    assert int(test.boxes[test.pair_of[0, 15]].any(1).sum()) == 2


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [40, 50], "counts": [0, 2001]},
        {"size": [40, 50], "counts": [1000, 2**62, -(2**62), 1000]},
        {"size": [4000, 5000], "counts": [0, 20_000_000]},
        {"size": [40, 50], "counts": "oooooooooooo"},
        [[0, 0, float("1e308"), 0, float("inf"), 1]],
        "runs",
    ],
    ids=["too many", "overflow", "other size", "compressed", "infinite", "text"],
)
def test_b52_segmentations_that_lie(coco: Path, segmentation: object) -> None:
    """What pycocotools would write past its memory for is refused before it sees it."""
    coco_folder.edit(coco, "val2014", first("annotations", segmentation=segmentation))
    assert "annotation 2000: expected" in refused(coco, "coco2014")

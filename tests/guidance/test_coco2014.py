"""COCO 2014: what is read, how train and val are cut, and every mistake in a user's folder by name."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_folder
import pytest
from coco_folder import BARE, IDS, edit, file_name, path_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgsweep.errors import InvalidInput
from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.datasets.coco2014 import CLASSES, LISTS, coco2014, cut
from mgsweep.guidance.datasets.coco_annotation import MAX_BYTES, SHOWN, Report, read_instances

ANNOTATED = [number for number in IDS["train2014"] if number != BARE["train2014"]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return coco_folder.write(tmp_path / "coco")


def put_lists(folder: Path, train: object, val: object) -> None:
    for split, content in {"train": train, "val": val}.items():
        (folder / LISTS[split]).write_text(json.dumps(content))


def numbers(root: Path, split: str) -> list[int]:
    return [int(sample.name[-12:]) for sample in coco2014(root).splits[split]]


def problems_of(root: Path) -> list[str]:
    with pytest.raises(InvalidInput) as raised:
        _ = coco2014(root).splits
    return [str(problem) for problem in raised.value.problems]


# What is read


def test_there_are_80_classes_by_category_id(root: Path) -> None:
    assert len(set(CLASSES)) == 80
    assert (CLASSES[0], CLASSES[79], coco2014(root).classes) == ("person", "toothbrush", CLASSES)


def test_objects_are_read_as_published(root: Path) -> None:
    """Crowds count, corners are the sums, and labels have no gaps though the ids do."""
    first = coco2014(root).splits["test"][0]
    assert (first.name, first.size) == ("COCO_val2014_000000000200", (50, 40))
    assert [(CLASSES[instance.label], instance.box) for instance in first.instances] == [
        ("cat", (5.5, 6, 25.75, 36)),
        ("cat", (30, 0, 50, 40)),
        ("dog", (1, 1, 10, 10)),
    ]


def test_only_test_keeps_images_without_annotations(root: Path) -> None:
    assert numbers(root, "test") == list(IDS["val2014"])
    assert coco2014(root).splits["test"][-1].instances == ()
    assert sorted(numbers(root, "train") + numbers(root, "val")) == ANNOTATED


def test_boxes_are_cut_to_the_image(root: Path) -> None:
    edit(root, "val2014", lambda content: content["annotations"][0].update(bbox=[-0.5, 0.25, 51, 40.25]))
    edit(root, "val2014", lambda content: content["annotations"][1].update(bbox=[50.25, -0.5, 0.25, 0.25]))
    boxes = [instance.box for instance in coco2014(root).splits["test"][0].instances]
    assert boxes[:2] == [(0, 0.25, 50, 40), (50, 0, 50, 0)]


def test_nothing_is_printed(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _ = coco2014(root).splits
    assert capfd.readouterr() == ("", "")


def test_it_is_decoded(root: Path, tmp_path: Path) -> None:
    data = prepare("coco2014", root, 32, tmp_path / "cache")
    assert (len(data.train), len(data.val), len(data.test)) == (9, 2, 4)
    assert [len(split.pairs) for split in (data.train, data.val, data.test)] == [18, 4, 6]
    assert data.test.boxes[0].tolist() == [[3, 4, 16, 28], [19, 0, 31, 31]]


# The cut


def test_the_whole_set_is_cut_as_published() -> None:
    ids = cut(range(82_081))
    assert (len(ids["train"]), len(ids["val"])) == (73_872, 8_209)
    assert sorted(ids["train"] + ids["val"]) == list(range(82_081))


def test_the_cut_is_the_same_everywhere() -> None:
    expected = {"train": [101, 102, 103, 104, 105, 106, 107, 108, 109], "val": [100, 110]}
    assert cut(ANNOTATED) == cut(ANNOTATED[::-1]) == expected


@pytest.mark.parametrize("folder", ["", "annotations"])
@pytest.mark.parametrize("form", ["ids", "names", "annotations"])
def test_lists_go_before_the_cut(root: Path, form: str, folder: str) -> None:
    def written(ids: list[int]) -> object:
        names = [file_name("train2014", number) for number in ids]
        return {"ids": ids, "names": names, "annotations": {"images": [{"id": number} for number in ids]}}[form]

    put_lists(root / folder, written([107, 101]), written([103]))
    assert (numbers(root, "train"), numbers(root, "val")) == ([101, 107], [103])
    assert numbers(root, "test") == list(IDS["val2014"])


# The fingerprint


def test_the_fingerprint_does_not_parse(root: Path) -> None:
    path_of(root, "train2014").write_text("no JSON")
    source = coco2014(root)
    with pytest.raises(InvalidInput):
        _ = source.splits


@pytest.mark.parametrize("part", IDS)
def test_the_fingerprint_follows_the_annotations(root: Path, part: str) -> None:
    before = coco2014(root).fingerprint
    os.utime(path_of(root, part), (0, 0))
    assert coco2014(root).fingerprint != before


def test_the_fingerprint_follows_the_content_of_the_lists(root: Path) -> None:
    found = [coco2014(root).fingerprint]
    for val in ([103], [104], [104]):
        put_lists(root, [101], val)
        found.append(coco2014(root).fingerprint)
    assert len(set(found)) == 3
    assert found[-1] == found[-2]


# Mistakes


def image(**fields: object) -> Callable[[Any], object]:
    return lambda content: content["images"][-1].update(fields)  # image 200, the first by id


def annotation(**fields: object) -> Callable[[Any], object]:
    return lambda content: content["annotations"][1].update(fields)  # annotation 2001


def without(table: str) -> Callable[[Any], object]:
    return lambda content: content.pop(table)


def renamed(content: Any) -> None:
    next(category for category in content["categories"] if category["name"] == "cat")["name"] = "kat"


SPOILED: dict[str, tuple[Callable[[Any], object], str]] = {
    "no images": (without("images"), "images: missing; expected an object with the list images; it comes with"),
    "no annotations": (without("annotations"), "annotations: missing; expected"),
    "no categories": (without("categories"), "categories: missing; expected"),
    "an object as list": (
        lambda content: content.update(images={}),
        "images: missing; expected an object with the list",
    ),
    "three numbers": (
        annotation(bbox=[1, 2, 3]),
        r"annotation 2001: expected bbox to be \[x, y, width, height\], four finite .*got \[1, 2, 3\]; correct it",
    ),
    "no box": (lambda content: content["annotations"][1].pop("bbox"), "four finite numbers in pixels, got nothing"),
    "nan": (annotation(bbox=[1, 2, float("nan"), 4]), r"four finite numbers in pixels, got \[1, 2, nan, 4\]"),
    "endless": (annotation(bbox=[1, 2, 3, float("inf")]), "four finite numbers in pixels, got .*inf"),
    "beyond any float": (annotation(bbox=[1, 2, 3, 10**400]), "four finite numbers in pixels, got"),
    "words": (annotation(bbox=["1", 2, 3, 4]), r"four finite numbers in pixels, got \['1', 2, 3, 4\]"),
    "truth values": (annotation(bbox=[True, 2, 3, 4]), r"four finite numbers in pixels, got \[True, 2, 3, 4\]"),
    "negative size": (annotation(bbox=[9, 9, -1, 4]), "annotation 2001: .*width and height from 0, got .*-1"),
    "outside right": (annotation(bbox=[30, 0, 20.75, 40]), "inside the image of 50 x 40 pixels, got .*20.75"),
    "outside below": (annotation(bbox=[30, 0, 20, 41]), "inside the image of 50 x 40 pixels, got .*41"),
    "outside left": (annotation(bbox=[-0.75, 0, 20, 40]), "inside the image of 50 x 40 pixels, got .*-0.75"),
    "unknown category": (annotation(category_id=11), "2001: expected the id of an entry of .*category_id, got 11;"),
    "unknown image": (annotation(image_id=100), "2001: expected the id of an entry of this file as image_id, got 100"),
    "ids as words": (annotation(id="2001"), r"annotations\[1\]: expected a whole number as id, got '2001'; correct"),
    "no image id": (
        lambda content: content["annotations"][1].pop("image_id"),
        "whole number as image_id, got nothing",
    ),
    "no object": (lambda content: content["annotations"].append(7), r"annotations\[9\]: expected .*as id, got 7"),
    "annotation twice": (annotation(id=2000), "annotation 2000: the id is given twice; remove one of the two"),
    "image twice": (
        lambda content: content["images"].append(content["images"][0]),
        "image 203: the id is given twice; remove one of the two",
    ),
    "file twice": (
        image(file_name=file_name("val2014", 201)),
        "image 201: has COCO_val2014_0+201.jpg as image 200 has; remove",
    ),
    "climbing out": (image(file_name="../secret.jpg"), "image 200: expected file_name to be .*got '../secret.jpg'"),
    "another folder": (image(file_name="/etc/passwd"), "image 200: expected file_name to be .*got '/etc/passwd'"),
    "unprintable": (image(file_name="\ud800.jpg"), r"image 200: expected file_name to be .*got '\\ud800.jpg'"),
    "no file name": (image(file_name=None), "image 200: expected file_name to be a plain name .*got nothing"),
    "zero width": (image(width=0), "image 200: expected width in pixels, a whole number from 1, got 0"),
    "half a pixel": (image(height=40.5), "image 200: expected height in pixels, a whole number from 1, got 40.5"),
    "no image file": (
        image(file_name="gone.jpg"),
        ": gone.jpg: missing, though it is image 200 of .*val2014.zip",
    ),
    "other category": (
        renamed,
        "categories: expected the 80 official ones by rising id, got 80, first 'kat' in the place of 'cat'; take",
    ),
    "categories short": (
        lambda content: content["categories"].pop(0),
        "got 79, first nothing in the place of 'toothbrush'; take the official file",
    ),
    "an image of train": (
        lambda content: content["images"][0].update(id=105),
        r"image 105: the id of an image of train2014, too; remove one of the two",
    ),
    "nothing listed": (
        lambda content: (content["images"].clear(), content["annotations"].clear()),
        "images: expected the images of val2014, the list is empty",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_annotation_mistakes_are_named(root: Path, case: str) -> None:
    change, message = SPOILED[case]
    edit(root, "val2014", change)
    (problem,) = problems_of(root)
    assert re.search(rf"^{re.escape(str(root))}.*val2014.*{message}", problem), problem


TEXTS = {
    "empty": (b"", "expected JSON: Expecting value: line 1 column 1"),
    "cut short": (b'{"images": [', "expected JSON: .*it comes with annotations_trainval2014.zip"),
    "another encoding": (b"\xff\xfe\xfa", "expected JSON: "),
    "too deep": (b"[" * 100_000, "expected JSON, got one nested too deep"),
    "long number": (b"[" + b"9" * 5000 + b"]", "expected JSON: "),
    "a list": (b"[]", "images: missing; expected an object with the list images"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_what_is_no_annotation_file(root: Path, case: str) -> None:
    content, message = TEXTS[case]
    path_of(root, "train2014").write_bytes(content)
    problems = problems_of(root)
    assert len(problems) == (3 if case == "a list" else 1)
    assert re.search(f"instances_train2014.json: {message}", problems[0])


def test_a_file_too_large_is_not_opened(root: Path) -> None:
    os.truncate(path_of(root, "val2014"), MAX_BYTES + 1)
    (problem,) = problems_of(root)
    assert "expected at most 1,000,000,000 bytes, got 1,000,000,001" in problem


MISSING = {
    "annotations/instances_val2014.json": "instances_val2014.json: cannot read .*annotations_trainval2014.zip",
    "train2014": r"train2014: cannot read the folder \(No such file or directory\); it comes with train2014.zip",
    "val2014": "val2014: cannot read the folder .*it comes with val2014.zip",
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_named_at_once(root: Path, name: str) -> None:
    (root / name).rename(root / "elsewhere")
    with pytest.raises(InvalidInput, match=MISSING[name]) as raised:
        coco2014(root)
    assert len(raised.value.problems) == 1


def test_a_missing_root(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path / "nowhere")
    assert "nowhere: expected a folder with annotations/, train2014/ and val2014/, there is none" in problem
    (tmp_path / "holiday").mkdir()
    assert len(problems_of(tmp_path / "holiday")) == 4


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_annotated_images(root: Path, count: int) -> None:
    edit(root, "train2014", lambda content: content.update(annotations=content["annotations"][:count]))
    (problem,) = problems_of(root)
    assert f"annotations: expected annotations of two images or more, for train and val, got {count}" in problem


BAD_LISTS: dict[str, tuple[object, object, str]] = {
    "unknown image": ([101], [103, 7], r"val_split.json: \[1\]: expected the id or file name of .*got 7; remove it"),
    "unknown file": ([101], [103, "7.jpg"], r"val_split.json: \[1\]: expected the id or file .*got '7.jpg'"),
    "a test image": ([101], [103, 200], r"\[1\]: expected the id or file name of an image with .*got 200"),
    "no annotations": ([101], [103, 111], r"\[1\]: expected the id or file name of an image with .*got 111"),
    "no entry": ([101, [102]], [103], r"train_split.json: \[1\]: expected the id or file name of .*got \[102\]"),
    "a truth value": ([101, True], [103], r"train_split.json: \[1\]: expected the id or file name of .*got True"),
    "twice": ([101, 101], [103], r"train_split.json: \[1\]: image 101 is listed before, as \[0\] of train2014_train_"),
    "in both": ([101], [103, 101], r"val_split.json: \[1\]: image 101 is listed before, as \[0\] of train2014_train_"),
    "in both by name": (
        [101],
        [103, file_name("train2014", 101)],
        r"val_split.json: \[1\]: image 101 is listed before",
    ),
    "empty": ([101], [], r"val_split.json: expected a list of image ids or file names .*got \[\]; fill or remove it"),
    "no list": (
        [101],
        {"ids": [103]},
        r"val_split.json: expected a list of image ids or file names .*got {'ids': \[103\]}",
    ),
}


@pytest.mark.parametrize("case", BAD_LISTS)
def test_list_mistakes_are_named(root: Path, case: str) -> None:
    train, val, message = BAD_LISTS[case]
    put_lists(root, train, val)
    (problem,) = problems_of(root)
    assert re.search(message, problem), problem


def test_one_list_needs_the_other(root: Path) -> None:
    put_lists(root, [101], [103])
    (root / LISTS["train"]).unlink()
    with pytest.raises(
        InvalidInput, match=r"train2014_train_split.json: cannot read .*expected are both lists or none"
    ):
        coco2014(root)


def test_all_mistakes_are_reported_at_once(root: Path) -> None:
    put_lists(root, [101, 7], [])
    edit(root, "train2014", annotation(bbox=[1, 2, 3]))
    edit(root, "train2014", image(width=0, file_name=".."))
    edit(root, "val2014", annotation(category_id=11, bbox=[0, 0, 99, 0]))
    (root / "val2014" / file_name("val2014", 201)).unlink()
    assert len(problems_of(root)) == 8


def test_many_mistakes_of_a_kind_are_counted(root: Path) -> None:
    def spoil(content: Any) -> None:
        for record in content["annotations"]:
            record["bbox"] = [0, 0, -1, 0]
        content["annotations"][0]["category_id"] = 11

    edit(root, "train2014", spoil)
    problems = problems_of(root)
    hidden = 3 * len(ANNOTATED) - SHOWN
    assert len(problems) == SHOWN + 2
    assert problems[-1] == f"{path_of(root, 'train2014')}: and {hidden} more boxes of negative size"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 100_000), st.binary(max_size=2)), min_size=1, max_size=4))
def test_annotations_survive_damage(tmp_path: Path, flips: list[tuple[int, bytes]]) -> None:
    """Whatever is in the file: it is read, or it is refused with a message."""
    content = json.dumps({**coco_folder.instances("val2014"), "categories": coco_folder.CATEGORIES[:2]}).encode()
    for place, patch in flips:
        place %= len(content)
        content = content[:place] + patch + content[place + 1 :]
    path, report = tmp_path / "a.json", Report()
    path.write_bytes(content)
    read_instances(path, CLASSES[:2], "", report)
    with contextlib.suppress(InvalidInput):
        report.check()

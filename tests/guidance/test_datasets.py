"""Data sets: one suite for the contract, then what is special to each, and every mistake in a user's folder by name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import coco_folder
import numpy as np
import pytest
import voc_folder
import waterbirds_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voc_folder import OBJECT, annotation, box

from mgsweep.errors import InvalidInput
from mgsweep.guidance.contracts import SPLITS
from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.samples import Sample, Source
from mgsweep.guidance.datasets.shapes import SIZE, shapes
from mgsweep.guidance.datasets.voc2007 import CLASSES, voc2007
from mgsweep.guidance.datasets.voc_annotation import MAX_BYTES, read_annotation

ROOTS: dict[str, Callable[[Path], Path | None]] = {
    "shapes": lambda folder: None,
    "voc2007": lambda folder: voc_folder.write(folder).parents[1],
    "coco2014": coco_folder.write,
    "waterbirds": waterbirds_folder.write,
    "waterbirds_reversed": waterbirds_folder.write,
}


@pytest.fixture(params=list(DATASETS))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path | None]:
    return request.param, ROOTS[request.param](tmp_path)


def samples(source: Source) -> Iterator[Sample]:
    for split in SPLITS:
        yield from source.splits[split]


# The contract


def test_samples_are_what_they_say(opened: tuple[str, Path | None]) -> None:
    name, root = opened
    source = DATASETS[name](root)
    assert len(set(source.classes)) == len(source.classes)
    assert all(len(source.splits[split]) for split in SPLITS)
    for sample in samples(source):
        pixels = sample.read()
        assert (pixels.dtype, pixels.shape) == (np.uint8, (sample.size[1], sample.size[0], 3))
        for instance in sample.instances:
            xmin, ymin, xmax, ymax = instance.box
            assert 0 <= instance.label < len(source.classes)
            assert 0 <= xmin <= xmax <= sample.size[0]
            assert 0 <= ymin <= ymax <= sample.size[1]
            assert instance.mask is None or DATASETS[name].has_masks
        assert sample.group is None or len(sample.instances) == 1


def test_no_sample_is_in_two_splits(opened: tuple[str, Path | None]) -> None:
    name, root = opened
    names = [sample.name for sample in samples(DATASETS[name](root))]
    assert len(set(names)) == len(names)


def test_equal_folders_have_equal_fingerprints(opened: tuple[str, Path | None]) -> None:
    name, root = opened
    assert DATASETS[name](root).fingerprint == DATASETS[name](root).fingerprint


def test_the_fingerprint_needs_no_sample(opened: tuple[str, Path | None], monkeypatch: pytest.MonkeyPatch) -> None:
    name, root = opened
    source = DATASETS[name](root)
    assert "splits" not in vars(source)


@pytest.mark.parametrize("name", [name for name, dataset in DATASETS.items() if dataset.needs_root])
def test_a_needed_folder_is_asked_for(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} is read from a folder"):
        DATASETS[name](None)


# Shapes

SHAPES = shapes()


def digest_of_shapes() -> str:
    digest = hashlib.sha256()
    for sample in list(samples(SHAPES))[::16]:
        digest.update(sample.read().tobytes() + repr([instance.box for instance in sample.instances]).encode())
    return digest.hexdigest()


def test_another_process_draws_the_same_shapes() -> None:
    program = "from test_datasets import digest_of_shapes; print(digest_of_shapes())"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == digest_of_shapes()


def test_boxes_are_tight_around_masks_and_cover_about_a_tenth() -> None:
    areas = []
    for sample in SHAPES.splits["train"]:
        for instance in sample.instances:
            assert instance.mask is not None
            xmin, ymin, xmax, ymax = map(int, instance.box)
            inside = instance.mask()[ymin:ymax, xmin:xmax]
            assert inside.sum() == instance.mask().sum() > 0.25 * inside.size
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()
            assert max(xmax, ymax) < SIZE, "the last row and column are outside of any box by the published rule"
            areas.append(inside.size / SIZE**2)
    assert 0.05 < min(areas) < max(areas) < 0.17
    assert 0.08 < np.mean(areas) < 0.13


def test_shapes_do_not_overlap() -> None:
    for sample in samples(SHAPES):
        covered = sum(instance.mask().astype(int) for instance in sample.instances if instance.mask is not None)
        assert np.max(covered) == 1


def test_each_class_is_common_and_images_hold_one_or_two() -> None:
    for split in SPLITS:
        listed = SHAPES.splits[split]
        labels = [[instance.label for instance in sample.instances] for sample in listed]
        assert all(len(set(row)) == len(row) in (1, 2) for row in labels)
        counts = np.bincount(np.concatenate(labels))
        assert counts.min() > 0.8 * counts.mean()


def test_the_background_alone_tells_the_class() -> None:
    """Nearest centroid of the background's mean colour, on images of one class: chance is 20 %."""

    def background(split: str) -> tuple[np.ndarray, np.ndarray]:
        single = [sample for sample in SHAPES.splits[split] if len(sample.instances) == 1]
        outside = [~sample.instances[0].mask() for sample in single]
        colours = [sample.read()[mask].mean(0) for sample, mask in zip(single, outside, strict=True)]
        return np.array(colours), np.array([sample.instances[0].label for sample in single])

    colours, labels = background("train")
    centroids = np.array([np.median(colours[labels == k], axis=0) for k in range(labels.max() + 1)])
    colours, labels = background("val")
    guesses = np.linalg.norm(colours[:, None] - centroids, axis=2).argmin(1)
    assert 0.9 < np.mean(guesses == labels) < 1, "strong, yet not perfect: the shapes know better"


# VOC 2007


@pytest.mark.parametrize("levels_up", [0, 1, 2])
def test_voc_is_found_from_each_level(tmp_path: Path, levels_up: int) -> None:
    folder = voc_folder.write(tmp_path)
    root = [folder, *folder.parents][levels_up]
    source = voc2007(root)
    assert source.classes == CLASSES == tuple(sorted(CLASSES))
    assert {split: len(listed) for split, listed in source.splits.items()} == voc_folder.COUNTS


def test_voc_objects_are_read_as_published(tmp_path: Path) -> None:
    """Difficult objects count, corners are not shifted, decimals are kept, parts of a person are no objects."""
    path = tmp_path / "a.xml"
    part = f"<part><name>head</name><bndbox>{box(1, 2, 3, 4)}</bndbox></part>"
    person = OBJECT.format("person", 0, box("45.5", 1, 50, 40)).replace("</object>", f"{part}</object>")
    path.write_text(annotation(OBJECT.format("cat", 1, box(5, 6, 20, 30)) + person))
    size, instances = read_annotation(path, CLASSES)
    assert size == (50, 40)
    assert [(CLASSES[instance.label], instance.box) for instance in instances] == [
        ("cat", (5, 6, 20, 30)),
        ("person", (45.5, 1, 50, 40)),
    ]


def test_voc_images_without_objects_are_kept(tmp_path: Path) -> None:
    folder = voc_folder.write(tmp_path)
    (folder / "Annotations" / "000000.xml").write_text(annotation(""))
    assert voc2007(tmp_path).splits["train"][0].instances == ()


@pytest.mark.parametrize("file", ["ImageSets/Main/val.txt", "Annotations/000003.xml", "JPEGImages/000012.jpg"])
def test_voc_fingerprint_follows_its_files(tmp_path: Path, file: str) -> None:
    folder = voc_folder.write(tmp_path)
    before = voc2007(tmp_path).fingerprint
    if file.endswith("txt"):
        (folder / file).write_text("000006\n000007\n")
    else:
        os.utime(folder / file, (0, 0))
    assert voc2007(tmp_path).fingerprint != before


def problems_of(root: Path) -> list[str]:
    with pytest.raises(InvalidInput) as raised:
        _ = voc2007(root).splits
    return [str(problem) for problem in raised.value.problems]


ANNOTATION = "Annotations/000004.xml"
CAT = OBJECT.format("cat", 0, box(5, 6, 20, 30))
SPOILED_ANNOTATIONS = {
    "malformed": ("<annotation>\n<object>", r"000004.xml:2: malformed XML: no element found"),
    "empty": ("", r"malformed XML: no element found"),
    "unknown encoding": ("<?xml version='1.0' encoding='klingon'?><annotation/>", "malformed XML: .*encoding"),
    "another root": ("<html/>", "expected <annotation> as the outermost element, got <html>"),
    "doctype": ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>\n" + annotation(CAT), "xml:1: a document type"),
    "billion laughs": (
        "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]>\n" + annotation("&b;"),
        "document type or entity is not accepted",
    ),
    "too deep": ("<annotation>" + "<a>" * 20000, "nested at most 16 deep"),
    "too large": (annotation(" " * MAX_BYTES), "at most 1,000,000 bytes"),
    "no size": (f"<annotation>\n{CAT}</annotation>", "xml: width: missing; expected <size><width>"),
    "zero size": (annotation(CAT, height=0), r"xml:2: height: .*a whole number from 1, got 0"),
    "half a pixel": (annotation(CAT, width=50.5), "width: .*a whole number from 1, got 50.5"),
    "swapped": (annotation(OBJECT.format("cat", 0, box(20, 6, 5, 30))), r"xml:3: bndbox: .*got \[20, 6, 5, 30\]; swap"),
    "nan": (
        annotation(OBJECT.format("cat", 0, box("NaN", 6, 20, 30))),
        "xml:3: xmin: expected a number in pixels, got 'NaN'",
    ),
    "word": (
        annotation(OBJECT.format("cat", 0, box(5, "six", 20, 30))),
        "ymin: expected a number in pixels, got 'six'",
    ),
    "outside": (annotation(OBJECT.format("cat", 0, box(5, 6, 51, 30))), "inside the image of 50 x 40 pixels, got .*51"),
    "negative": (
        annotation(OBJECT.format("cat", 0, box(-1, 6, 20, 30))),
        "inside the image of 50 x 40 pixels, got .-1",
    ),
    "corner missing": (
        annotation(OBJECT.format("cat", 0, "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax>")),
        "ymax: missing",
    ),
    "unknown class": (
        annotation(OBJECT.format("kat", 0, box(5, 6, 20, 30))),
        "name: unknown class 'kat'; did you mean 'cat'",
    ),
    "alien class": (
        annotation(OBJECT.format("zzz", 0, box(5, 6, 20, 30))),
        "unknown class 'zzz'; expected one of aeroplane",
    ),
    "no class": (annotation(CAT.replace("<name>cat</name>", "")), "name: missing; expected one of"),
}


@pytest.mark.parametrize("case", SPOILED_ANNOTATIONS)
def test_voc_annotation_mistakes_are_named(tmp_path: Path, case: str) -> None:
    text, message = SPOILED_ANNOTATIONS[case]
    folder = voc_folder.write(tmp_path)
    (folder / ANNOTATION).write_text(text)
    problems = problems_of(tmp_path)
    assert all("000004.xml" in problem for problem in problems)
    assert len(problems) == (2 if case == "no size" else 1)
    assert any(re.search(message, problem) for problem in problems), problems


def remove(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def replace(file: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_text(text)


SPOILED_FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no list": (remove("ImageSets/Main/test.txt"), "test.txt: cannot read .*No such file.*VOCtest_06-Nov-2007.tar"),
    "no image": (remove("JPEGImages/000004.jpg"), "000004.jpg: missing, though the train list names it"),
    "no annotation": (remove("Annotations/000007.xml"), "000007.xml: missing, though the val list names it"),
    "in two splits": (
        replace("ImageSets/Main/val.txt", "000006\n000001\n"),
        r"val.txt:2: 000001: listed before, at .*train.txt:2; remove one of the two",
    ),
    "empty list": (
        replace("ImageSets/Main/val.txt", "\n"),
        "val.txt: expected one image name a line, the val split is empty",
    ),
    "path in list": (replace("ImageSets/Main/val.txt", "000006\n../../secret\n"), r"val.txt:2: .*got '../../secret'"),
    "class list": (
        replace("ImageSets/Main/val.txt", "000006 -1\n000007\n"),
        "val.txt:1: expected the name .*got '000006 -1'",
    ),
}


@pytest.mark.parametrize("case", SPOILED_FOLDERS)
def test_voc_folder_mistakes_are_named(tmp_path: Path, case: str) -> None:
    spoil, message = SPOILED_FOLDERS[case]
    spoil(voc_folder.write(tmp_path))
    (problem,) = problems_of(tmp_path)
    assert re.search(message, problem)


@pytest.mark.parametrize("name", ["JPEGImages", "Annotations"])
def test_voc_missing_folder_is_one_mistake(tmp_path: Path, name: str) -> None:
    folder = voc_folder.write(tmp_path)
    (folder / name).rename(tmp_path / "elsewhere")
    (problem,) = problems_of(tmp_path)
    assert re.search(f"{name}: no such folder", problem)


def test_voc_missing_root(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path / "nowhere")
    assert "nowhere: expected a folder with VOCdevkit/, VOC2007/ or JPEGImages/, there is none" in problem
    (tmp_path / "holiday").mkdir()
    (problem,) = problems_of(tmp_path)
    assert "expected VOCdevkit/, VOC2007/ or JPEGImages/ in this folder, got holiday" in problem


def test_voc_reports_all_mistakes_at_once(tmp_path: Path) -> None:
    folder = voc_folder.write(tmp_path)
    remove("JPEGImages/000000.jpg")(folder)
    replace("ImageSets/Main/test.txt", "000009\n000001\n")(folder)
    replace(ANNOTATION, annotation(OBJECT.format("kat", 0, box(9, "x", 1, 50)), width=0))(folder)
    (folder / "Annotations" / "000009.xml").write_text("<annotation>")
    assert len(problems_of(tmp_path)) == 7


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=2)), min_size=1, max_size=4))
def test_voc_annotation_survives_damage(tmp_path: Path, flips: list[tuple[int, bytes]]) -> None:
    """Whatever is in the file: it is read, or it is refused with a message."""
    content = annotation(CAT + OBJECT.format("dog", 0, box(1, 1, 9, 9))).encode()
    for place, patch in flips:
        place %= len(content)
        content = content[:place] + patch + content[place + 1 :]
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    with contextlib.suppress(InvalidInput):
        read_annotation(path, CLASSES)

"""A user's own data: described in a sweep file, read like the published sets, known by content and not by place."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coco_folder
import pytest
import torch
import voc_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from voc_folder import OBJECT, annotation, box

from mgsweep.errors import InvalidInput
from mgsweep.guidance.datasets.cache import Data, Split, prepare
from mgsweep.guidance.datasets.own import Cut, _cut
from mgsweep.guidance.datasets.samples import Sample
from mgsweep.plan import Plan, load

SIZE = 32
VOC = {"layout": "voc", "name": "pets", "root": "data/VOCdevkit/VOC2007"}
COCO = {
    "layout": "coco",
    "root": "data",
    "images": "train2014",
    "annotations": "annotations/instances_train2014.json",
    "splits": {"val": 0.25, "test": 0.25},
}


def sweep(folder: Path, dataset: object) -> Path:
    """A sweep file with one baseline on this data set."""
    file = folder / "sweep.yaml"
    axes = {"dataset": dataset, "model": "vanilla", "backbone": "resnet18", "image_size": SIZE, "loss": "none"}
    with file.open("w") as stream:
        YAML(typ="safe").dump({"grids": [axes]}, stream)
    return file


def planned(folder: Path, dataset: object) -> Plan:
    return load(sweep(folder, dataset))


def opened(folder: Path, dataset: object) -> Data:
    plan = planned(folder, dataset)
    (trial,) = plan.trials
    return prepare(trial.dataset, plan.data[trial.dataset], SIZE, folder / "cache")


def problems_of(folder: Path, dataset: object) -> list[str]:
    with pytest.raises(InvalidInput) as raised:
        opened(folder, dataset)
    assert not list((folder / "cache").glob("*")), "something was written"
    return [str(problem) for problem in raised.value.problems]


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    voc_folder.write(tmp_path / "data")
    return tmp_path


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    coco_folder.write(tmp_path / "data")
    return tmp_path


def assert_same(ours: Split, theirs: Split, column: list[int]) -> None:
    """`column` holds the published class of each of ours."""
    assert torch.equal(ours.images, theirs.images)
    assert torch.equal(ours.boxes, theirs.boxes)
    assert torch.equal(ours.labels, theirs.labels[:, column])
    assert [column[label] for label in ours.pairs[:, 1].tolist()] == theirs.pairs[:, 1].tolist()


# Read like the published sets


def test_voc_layout_is_read_as_voc2007(voc: Path) -> None:
    theirs = prepare("voc2007", voc / "data", SIZE, voc / "cache")
    ours = opened(voc, VOC)
    assert ours.classes == ("cat", "dog")
    column = [theirs.classes.index(name) for name in ours.classes]
    for split in ("train", "val", "test"):
        assert_same(getattr(ours, split), getattr(theirs, split), column)


BY_SPLIT = {
    "layout": "coco",
    "root": "data",
    "images": {"train": "train2014", "val": "train2014", "test": "val2014"},
    "annotations": {
        "train": "annotations/instances_train2014.json",
        "val": "val.json",
        "test": "annotations/instances_val2014.json",
    },
}


def test_coco_layout_is_read_as_coco2014(coco: Path) -> None:
    """Its test split is all of val2014, as a file of its own is here."""
    theirs = prepare("coco2014", coco / "data", SIZE, coco / "cache")
    content = coco_folder.instances("train2014")
    (coco / "data/val.json").write_text(json.dumps({**content, "images": content["images"][:3], "annotations": []}))
    coco_folder.edit(coco / "data", "train2014", keep_from_the_fourth)
    ours = opened(coco, BY_SPLIT)
    assert ours.classes == theirs.classes
    assert_same(ours.test, theirs.test, list(range(len(theirs.classes))))
    assert len(ours.val) == 3
    assert len(ours.val.pairs) == 0


def test_no_image_may_be_in_two_files(coco: Path) -> None:
    shutil.copy(coco_folder.path_of(coco / "data", "train2014"), coco / "data/val.json")
    problems = problems_of(coco, BY_SPLIT)
    assert len(problems) == len(coco_folder.IDS["train2014"])
    assert "val.json: COCO_train2014_000000000100: the image is in train, too" in problems[0]


def keep_from_the_fourth(content: dict[str, list[dict[str, Any]]]) -> None:
    del content["images"][:3]
    known = {image["id"] for image in content["images"]}
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] in known]


def test_a_folder_that_holds_vocdevkit_will_do(voc: Path) -> None:
    assert planned(voc, {**VOC, "root": "data"}).trials == planned(voc, VOC).trials
    plain = {"images": "VOCdevkit/VOC2007/JPEGImages", "annotations": "VOCdevkit/VOC2007/Annotations"}
    lists = {split: f"VOCdevkit/VOC2007/ImageSets/Main/{split}.txt" for split in ("train", "val", "test")}
    assert planned(voc, {**VOC, "root": "data", **plain, "splits": lists}).trials == planned(voc, VOC).trials


def test_listed_classes_give_their_order(voc: Path) -> None:
    assert opened(voc, {**VOC, "classes": ["dog", "cat"]}).classes == ("dog", "cat")


def test_png_and_jpeg_suffixes(voc: Path) -> None:
    images = voc / VOC["root"] / "JPEGImages"
    expected = opened(voc, VOC).train.images.clone()
    (images / "000000.jpg").rename(images / "000000.JPEG")
    assert torch.equal(opened(voc, VOC).train.images, expected)


# Known by content


def test_moving_the_folder_changes_no_id(voc: Path) -> None:
    before = planned(voc, VOC).trials
    shutil.copytree(voc / "data", voc / "elsewhere")
    assert planned(voc, {**VOC, "root": "elsewhere/VOCdevkit/VOC2007"}).trials == before
    assert planned(voc, {**VOC, "root": str(voc / "data/VOCdevkit/VOC2007")}).trials == before


CHANGES: dict[str, Callable[[Path], object]] = {
    "a box": lambda folder: (folder / "Annotations/000003.xml").write_text(
        annotation(OBJECT.format("cat", 0, box(5, 6, 20, 31)) + OBJECT.format("dog", 0, box(1, 1, 9, 9)))
    ),
    "a class": lambda folder: (folder / "Annotations/000003.xml").write_text(
        annotation(OBJECT.format("cow", 0, box(5, 6, 20, 31)))
    ),
    "an image": lambda folder: (folder / "JPEGImages/000003.jpg").write_bytes(b"longer" * 1000),
    "a split": lambda folder: (folder / "ImageSets/Main/val.txt").write_text("000006\n000007\n"),
    "a new image": lambda folder: (
        shutil.copy(folder / "JPEGImages/000003.jpg", folder / "JPEGImages/9.jpg"),
        shutil.copy(folder / "Annotations/000003.xml", folder / "Annotations/9.xml"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changing_the_data_changes_the_id(voc: Path, change: str) -> None:
    before = planned(voc, VOC).trials[0].id
    CHANGES[change](voc / VOC["root"])
    assert planned(voc, VOC).trials[0].id != before


@pytest.mark.parametrize("key", [{"classes": ["dog", "cat"]}, {"splits": {"val": 0.3, "test": 0.3}}])
def test_describing_them_otherwise_changes_the_id(voc: Path, key: Mapping[str, object]) -> None:
    assert planned(voc, {**VOC, **key}).trials[0].id != planned(voc, VOC).trials[0].id


@pytest.mark.parametrize("change", ["a box", "a class"])
def test_data_changed_after_planning_are_refused(voc: Path, change: str) -> None:
    plan = planned(voc, VOC)
    CHANGES[change](voc / VOC["root"])
    name = plan.trials[0].dataset
    with pytest.raises(InvalidInput, match="have changed since the sweep was planned"):
        prepare(name, plan.data[name], SIZE, voc / "cache")


def test_only_takes_the_plain_name(voc: Path) -> None:
    file = sweep(voc, [VOC, "shapes"])
    assert [trial.dataset[:5] for trial in load(file, only=["dataset=pets"]).trials] == ["pets_"]


# The cut


def samples(count: int) -> dict[str, Sample]:
    return {f"{n:04d}": Sample(f"{n:04d}", lambda: None, (1, 1), (), "") for n in range(count)}  # type: ignore[arg-type,return-value]


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(20, 300), val=st.floats(0.1, 0.4), test=st.floats(0.1, 0.4), seed=st.integers(0, 9))
def test_a_cut_is_a_partition_of_the_stated_sizes(count: int, val: float, test: float, seed: int) -> None:
    splits = _cut(samples(count), Cut(val, test, seed))
    names = [sample.name for split in splits.values() for sample in split]
    assert sorted(names) == sorted(samples(count))
    assert len(splits["val"]) == int(val * count)
    assert len(splits["test"]) == int(test * count)


def test_another_seed_is_another_cut() -> None:
    assert _cut(samples(100), Cut(0.2, 0.2, 0)) != _cut(samples(100), Cut(0.2, 0.2, 1))


# Mistakes


def spoil_voc(file: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / VOC["root"] / file).write_text(content)


def link_outside(folder: Path) -> None:
    image = folder / VOC["root"] / "JPEGImages/000002.jpg"
    image.rename(folder / "secret.jpg")
    image.symlink_to(folder / "secret.jpg")


def two_of_a_name(folder: Path) -> None:
    images = folder / VOC["root"] / "JPEGImages"
    shutil.copy(images / "000002.jpg", images / "000002.png")


def nothing(folder: Path) -> None:
    """The folder is as it should be; the description is not."""


SPOILED: dict[str, tuple[Callable[[Path], object], Mapping[str, object], str]] = {
    "no images folder": (nothing, {"images": "photos"}, "photos: cannot read the image folder: No such file"),
    "no annotations folder": (nothing, {"annotations": "xml"}, "xml: cannot read the annotation folder"),
    "no images in it": (nothing, {"images": "ImageSets"}, "ImageSets: no images in this folder"),
    "no xml in it": (nothing, {"annotations": "JPEGImages"}, "JPEGImages: no annotations .* in this folder"),
    "a link outside": (link_outside, {}, "000002.jpg: a link that leads out of the folder"),
    "two of a name": (two_of_a_name, {}, "000002.png: has the name of 000002.jpg"),
    "missing image": (spoil_voc("Annotations/77.xml", "<annotation/>"), {}, "77.xml: its image is missing"),
    "malformed": (spoil_voc("Annotations/000001.xml", "<annotation>"), {}, "000001.xml:1: malformed XML"),
    "in two splits": (
        spoil_voc("ImageSets/Main/val.txt", "000000\n"),
        {},
        "val.txt:1: 000000: listed before",
    ),
    "not annotated": (spoil_voc("ImageSets/Main/val.txt", "kitten\n"), {}, "val.txt:1: kitten: no image of that name"),
    "empty list": (spoil_voc("ImageSets/Main/val.txt", "\n"), {}, "val.txt: expected one image name a line"),
    "no list": (nothing, {"splits": {"train": "a", "val": "b", "test": "c"}}, "cannot read the split's list"),
    "nothing left": (nothing, {"splits": {"val": 0.01, "test": 0.5}}, "splits: 13 images leave none for val"),
    "unknown class": (nothing, {"classes": ["kat", "dog"]}, "unknown class 'cat'; did you mean 'kat'"),
    "unknown layout": (
        nothing,
        {"layout": "yolo"},
        r"sweep.yaml:\d+: grids.0..dataset.layout: expected 'voc' or 'coco'",
    ),
    "unknown key": (nothing, {"anotations": "x"}, "unknown key; did you mean 'annotations'"),
    "a name like a path": (nothing, {"name": "../x"}, "name: expected up to"),
    "classes twice": (nothing, {"classes": ["cat", "cat"]}, "a name stands twice"),
    "shares too large": (nothing, {"splits": {"val": 1.5, "test": 0.1}}, "expected a number < 1, got 1.5"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_mistakes_are_named(voc: Path, case: str) -> None:
    spoil, description, message = SPOILED[case]
    spoil(voc)
    problems = "\n".join(problems_of(voc, {**VOC, **description}))
    assert re.search(message, problems), problems


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"splits": {"val": 0.1}}, "splits: test is missing; give shares for val and test, or a list file each for"),
        ({"splits": {"val": "a.txt"}}, "splits: train and test are missing; give shares for val and test, or"),
        ({"splits": {"val": 0.1, "test": 2}}, "splits.test: expected a number < 1, got 2"),
        ({"splits": {"train": "a", "val": "b", "test": 3}}, "splits.test: expected text, got 3"),
        ({"splits": "all"}, "splits: expected a mapping, got 'all'"),
        ({"images": 3}, "images: expected text, got 3"),
        ({"images": {"train": "a", "val": "b"}}, "images.test: missing"),
    ],
)
def test_a_choice_of_forms_is_one_mistake_in_words_of_the_file(
    voc: Path, description: Mapping[str, object], said: str
) -> None:
    (problem,) = problems_of(voc, {**VOC, **description})
    assert f"grids[0].dataset.{said}" in problem


def test_an_unlisted_class_is_told_once_with_its_boxes(voc: Path, coco: Path) -> None:
    boxes = sum(file.read_text().count("<name>cat<") for file in (voc / VOC["root"] / "Annotations").iterdir())
    assert boxes > 1
    (problem,) = problems_of(voc, {**VOC, "classes": ["dog"]})
    assert problem.endswith(f"unknown class 'cat'; add it to classes, or leave classes out for all ({boxes} boxes)")
    named = [entry["name"] for entry in coco_folder.instances("train2014")["categories"]]
    problems = problems_of(coco, {**COCO, "classes": named[2:]})
    assert sorted(re.search("unknown class '(.*?)'", text)[1] for text in problems) == sorted(named[:2])  # type: ignore[index]


def test_coco_needs_to_be_told_its_files(coco: Path) -> None:
    (problem,) = problems_of(coco, {"layout": "coco", "root": "data"})
    assert "layout coco needs images" in problem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("categories"), "categories: expected a list of categories"),
        (lambda content: content["categories"][0].pop("name"), "categories: expected a list of categories"),
        (
            lambda content: content["images"][0].update(file_name="gone.jpg"),
            "gone.jpg: missing, though it is image",
        ),
        (
            lambda content: content["images"][1].update(
                file_name=f"{Path(content['images'][0]['file_name']).stem}.png"
            ),
            "has the name of .*, which lists and splits go by; rename one of the two",
        ),
        (lambda content: content["annotations"][0].update(bbox=[1, 2, 3]), "to be .x, y, width, height., four finite"),
        (lambda content: content["annotations"][0].update(image_id=7), "expected the id of an entry of this file"),
    ],
)
def test_coco_mistakes_are_named(coco: Path, change: Callable[[Any], object], message: str) -> None:
    coco_folder.edit(coco / "data", "train2014", change)
    with pytest.raises(InvalidInput, match=message):
        opened(coco, COCO)


def test_two_descriptions_are_told_all_their_mistakes_at_once(voc: Path) -> None:
    found = problems_of(voc, [{**VOC, "layout": "yolo"}, {**VOC, "images": "photos"}])
    assert len(found) == 2


def test_a_fingerprint_alone_describes_nothing(voc: Path) -> None:
    (problem,) = problems_of(voc, "pets_0123456789ab")
    assert "pets_0123456789ab is not described" in problem

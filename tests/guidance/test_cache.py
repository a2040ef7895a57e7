"""The cache of decoded data sets: its arrays, what it does to damaged images, and that it is whole or absent."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import coco_folder
import pytest
import torch
import voc_folder
import waterbirds_folder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor, resize
from voc_folder import OBJECT, annotation, box

from mgsweep.errors import InvalidInput, UnknownName
from mgsweep.guidance.datasets import DATASETS
from mgsweep.guidance.datasets.cache import Data, Split, annotated, prepare
from mgsweep.guidance.datasets.decode import scaled

FOLDERS = {
    "voc2007": voc_folder.write,
    "coco2014": coco_folder.write,
    "waterbirds": waterbirds_folder.write,
    "waterbirds_reversed": waterbirds_folder.write,
}
SIZE = 32
PLAIN = 64  # shapes are drawn at this size, so nothing is resized


def voc(tmp_path: Path) -> tuple[Path, Path]:
    """A data folder and a cache folder that does not exist yet."""
    return voc_folder.write(tmp_path / "data"), tmp_path / "cache"


@pytest.fixture(scope="module")
def shapes_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with shapes in it."""
    cache = tmp_path_factory.mktemp("cache")
    prepare("shapes", None, PLAIN, cache)
    return cache


@pytest.fixture(scope="module")
def shapes(shapes_cache: Path) -> Data:
    return prepare("shapes", None, PLAIN, shapes_cache)


@pytest.fixture(scope="module", params=list(DATASETS))
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Data]:
    folder = tmp_path_factory.mktemp(request.param)
    write = FOLDERS.get(request.param)
    root = write(folder / "data") if write else None
    return request.param, prepare(request.param, root, SIZE, folder / "cache")


def splits(data: Data) -> list[Split]:
    return [data.train, data.val, data.test]


def finished(cache: Path) -> list[str]:
    """Everything in the cache folder but its lock files."""
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock")) if cache.exists() else []


# The arrays


def test_shapes_and_types(opened: tuple[str, Data]) -> None:
    name, data = opened
    for split in splits(data):
        count, pairs, classes = len(split), len(split.pairs), len(data.classes)
        assert count > 0
        expected = {
            "images": (torch.uint8, (count, 3, SIZE, SIZE)),
            "labels": (torch.bool, (count, classes)),
            "pairs": (torch.int64, (pairs, 2)),
            "pair_of": (torch.int64, (count, classes)),
            "boxes": (torch.int64, (pairs, split.boxes.shape[1], 4)),
        }
        if name == "shapes":
            expected["masks"] = (torch.uint8, (pairs, SIZE, SIZE // 8))
            expected["mask_of"] = (torch.int64, (pairs,))
        if name.startswith("waterbirds"):
            expected["groups"] = (torch.int64, (count,))
        found = {key: (value.dtype, tuple(value.shape)) for key, value in vars(split).items() if value is not None}
        assert found == expected


def test_pairs_are_the_labels(opened: tuple[str, Data]) -> None:
    for split in splits(opened[1]):
        assert torch.equal(split.pairs, split.labels.nonzero())
        images, classes = split.pairs.unbind(1)
        assert torch.equal(split.pair_of[images, classes], torch.arange(len(split.pairs)))
        assert torch.equal(split.pair_of == -1, ~split.labels)


def test_boxes_lie_inside(opened: tuple[str, Data]) -> None:
    for split in splits(opened[1]):
        assert int(split.boxes.min()) >= 0
        assert int(split.boxes.max()) <= SIZE - 1
        assert bool((split.boxes[..., :2] <= split.boxes[..., 2:]).all())
        assert bool(split.boxes[:, 0].any(1).all()), "the first of a pair's boxes is not padding"


def test_masks_lie_within_boxes(shapes: Data) -> None:
    for split in splits(shapes):
        masks = split.segmentation(torch.arange(len(split.pairs)), torch.device("cpu"))
        for mask, boxes in zip(masks, split.boxes, strict=True):
            xmin, ymin, xmax, ymax = boxes[0].tolist()
            assert mask[ymin:ymax, xmin:xmax].sum() == mask.sum() > 0
        assert 0.05 < masks.float().mean() < 0.1


def test_boxes_of_a_pair_are_all_its_objects(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    split = prepare("voc2007", folder, 224, cache).val
    assert split.pairs[:2].tolist() == [[0, 7], [0, 11]]  # cat, dog
    assert split.boxes[0].tolist() == [[22, 33, 89, 168], [134, 5, 223, 223]]
    assert split.boxes[1].tolist() == [[4, 5, 40, 50], [0, 0, 0, 0]]


def test_images_are_resized_as_torchvision_does(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    data = prepare("voc2007", folder, SIZE, cache)
    for row, name in zip(data.train.images, (folder / "ImageSets/Main/train.txt").read_text().split(), strict=True):
        image = Image.open(folder / "JPEGImages" / f"{name}.jpg").convert("RGB")
        assert torch.equal(row, pil_to_tensor(resize(image, [SIZE, SIZE])))


def test_shapes_are_stored_as_drawn(shapes: Data) -> None:
    samples = DATASETS["shapes"](None).splits["val"]
    for row, sample in list(zip(shapes.val.images, samples, strict=True))[:16]:
        assert torch.equal(row, torch.from_numpy(sample.read()).permute(2, 0, 1))


@pytest.mark.parametrize("objects", ["", OBJECT.format("cat", 0, box(1, 1, 50, 40))])
def test_images_without_objects_have_no_pairs(tmp_path: Path, objects: str) -> None:
    folder, cache = voc(tmp_path)
    for name in ("000006", "000007", "000008"):
        (folder / "Annotations" / f"{name}.xml").write_text(annotation(objects if name == "000007" else ""))
    split = prepare("voc2007", folder, SIZE, cache).val
    assert split.pairs.tolist() == ([[1, 7]] if objects else [])
    assert split.boxes.shape == (len(split.pairs), 1, 4)
    assert len(split) == 3


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_any_colour_mode_of_jpeg_becomes_rgb(tmp_path: Path, mode: str) -> None:
    folder, cache = voc(tmp_path)
    Image.new(mode, (50, 40)).save(folder / "JPEGImages" / "000000.jpg")
    assert prepare("voc2007", folder, SIZE, cache).train.images.shape[1] == 3


@pytest.mark.parametrize("mode", ["P", "RGBA", "I;16", "1"])
def test_any_colour_mode_of_png_becomes_rgb(tmp_path: Path, mode: str) -> None:
    folder, cache = voc(tmp_path)
    Image.new(mode, (50, 40)).save(folder / "JPEGImages" / "000000.jpg", "PNG")
    assert prepare("voc2007", folder, SIZE, cache).train.images.shape[1] == 3


def test_extreme_sizes_are_resized(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    for name, size in (("000000", (1, 1)), ("000001", (65500, 1))):
        Image.new("RGB", size).save(folder / "JPEGImages" / f"{name}.jpg")
        (folder / "Annotations" / f"{name}.xml").write_text(annotation(OBJECT.format("cat", 0, box(0, 0, 1, 1)), *size))
    split = prepare("voc2007", folder, SIZE, cache).train
    assert split.boxes[0, 0].tolist() == [0, 0, SIZE - 1, SIZE - 1]
    assert split.boxes[1, 0].tolist() == [0, 0, 0, SIZE - 1], "a box can lose its area"


@given(
    corner=st.floats(-10, 5000) | st.integers(0, 5000),
    side=st.integers(1, 5000),
    size=st.integers(8, 512),
)
def test_scaling_is_the_published_rule(corner: float, side: int, size: int) -> None:
    scale = size / side
    expected = int(min(max(corner * scale, 0), size - 1))
    assert scaled((corner, 0, corner, 0), (side, 1), size) == [expected, 0, expected, 0]
    assert scaled((0, corner, 0, corner), (1, side), size) == [0, expected, 0, expected]
    assert 0 <= expected <= size - 1


# The annotated subset


@given(count=st.integers(0, 300), small=st.floats(0, 1), large=st.floats(0, 1), seed=st.integers(0, 2**31 - 1))
def test_annotated_subsets_are_nested(count: int, small: float, large: float, seed: int) -> None:
    small, large = sorted((small, large))
    few, many = annotated(count, small, seed), annotated(count, large, seed)
    assert (few.dtype, few.shape) == (torch.bool, (count,))
    assert (int(few.sum()), int(many.sum())) == tuple(
        min(count, max(int(fraction > 0), int(fraction * count))) for fraction in (small, large)
    )
    assert not bool((few & ~many).any())


def test_annotated_counts_of_the_paper() -> None:
    assert [int(annotated(2501, fraction, 0).sum()) for fraction in (0.01, 0.1, 1)] == [25, 250, 2501]
    assert not torch.equal(annotated(2501, 0.1, 0), annotated(2501, 0.1, 1))


def test_a_small_share_of_few_images_is_one_of_them() -> None:
    """Of none there would be no guidance, without a word."""
    assert int(annotated(60, 0.01, 0).sum()) == 1


# Mistakes


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


SPOILED_IMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncate, "cannot decode the image: .*truncated"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "no image": (lambda path: path.write_text("<html>404</html>"), "expected a JPEG or PNG file"),
    "gif": (lambda path: Image.new("RGB", (50, 40)).save(path, "GIF"), "expected a JPEG or PNG file"),
    "large": (lambda path: path.write_bytes(png_claiming(8000, 8000)), "at most 50,000,000 pixels, got 8000 x 8000"),
    "larger": (
        lambda path: path.write_bytes(png_claiming(10000, 10000)),
        "cannot decode the image: .*100000000 pixels",
    ),
    "bomb": (lambda path: path.write_bytes(png_claiming(60000, 60000)), "cannot decode the image: .*3600000000 pixels"),
    "damaged": (lambda path: path.write_bytes(png_claiming(50, 40)[:-20]), "cannot decode the image"),
    "turned": (
        lambda path: Image.new("RGB", (40, 50)).save(path),
        "the annotated 50 x 40 pixels, the image has 40 x 50",
    ),
}


@pytest.mark.parametrize("case", SPOILED_IMAGES)
def test_a_damaged_image_is_named(tmp_path: Path, case: str) -> None:
    spoil, message = SPOILED_IMAGES[case]
    folder, cache = voc(tmp_path)
    spoil(folder / "JPEGImages" / "000004.jpg")
    with pytest.raises(InvalidInput, match=f"000004.jpg: .*{message}") as raised:
        prepare("voc2007", folder, SIZE, cache)
    assert len(raised.value.problems) == 1
    assert finished(cache) == []


def test_all_damaged_images_are_named_at_once(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    names = ("000000", "000005", "000007", "000010")
    for name in names:
        truncate(folder / "JPEGImages" / f"{name}.jpg")
    with pytest.raises(InvalidInput) as raised:
        prepare("voc2007", folder, SIZE, cache)
    assert [Path(problem.where).stem for problem in raised.value.problems] == list(names)


def test_a_mistake_in_the_annotations_writes_nothing(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    (folder / "Annotations" / "000004.xml").write_text("<annotation>")
    with pytest.raises(InvalidInput, match="malformed XML"):
        prepare("voc2007", folder, SIZE, cache)
    assert not cache.exists()


def test_unknown_name_and_missing_root(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'shapes'"):
        prepare("shape", None, SIZE, tmp_path)
    with pytest.raises(InvalidInput, match="read from a folder"):
        prepare("voc2007", None, SIZE, tmp_path)
    assert finished(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder, cache = voc(tmp_path)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InvalidInput, match=r"cannot use the decoded data set: .*No space left"):
        prepare("voc2007", folder, SIZE, cache)
    assert finished(cache) == []


def test_a_cache_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(InvalidInput, match="cannot use the decoded data set"):
        prepare("shapes", None, SIZE, tmp_path / "cache")


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("file", ["val.images.npy", "test.labels.npy"])
@pytest.mark.parametrize("spoil", [Path.unlink, shorten, lambda path: os.truncate(path, 100)])
def test_a_damaged_cache_says_so(tmp_path: Path, file: str, spoil: Callable[[Path], None]) -> None:
    folder, cache = voc(tmp_path)
    prepare("voc2007", folder, SIZE, cache)
    (entry,) = finished(cache)
    spoil(cache / entry / file)
    with pytest.raises(InvalidInput, match="remove this folder"):
        prepare("voc2007", folder, SIZE, cache)


# Whole or absent


def digest(data: Data) -> str:
    result = hashlib.sha256()
    for split in splits(data):
        for tensor in vars(split).values():
            result.update(b"" if tensor is None else tensor.numpy().tobytes())
    return result.hexdigest()


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    assert digest(prepare("voc2007", folder, SIZE, cache)) == digest(prepare("voc2007", folder, SIZE, tmp_path / "b"))


def test_reopening_neither_decodes_nor_reads_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = voc(tmp_path)
    first = digest(prepare("voc2007", folder, SIZE, cache))

    def never(*_: object) -> None:
        pytest.fail("the data set is decoded already")

    for target in ("cache.decode", "voc2007.read_annotation", "voc2007.read_image"):
        monkeypatch.setattr(f"mgsweep.guidance.datasets.{target}", never)
    assert digest(prepare("voc2007", folder, SIZE, cache)) == first


def test_reopening_is_fast(shapes_cache: Path) -> None:
    start = time.perf_counter()
    prepare("shapes", None, PLAIN, shapes_cache)
    assert time.perf_counter() - start < 0.3


def test_changed_files_and_other_sizes_are_decoded_anew(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    before = prepare("voc2007", folder, SIZE, cache)
    Image.new("RGB", (50, 40)).save(folder / "JPEGImages" / "000000.jpg")
    after = prepare("voc2007", folder, SIZE, cache)
    assert before.fingerprint != after.fingerprint
    assert bool(before.train.images[0].any())
    assert not bool(after.train.images[0].any())
    assert prepare("voc2007", folder, 8, cache).train.images.shape[-1] == 8
    assert len(finished(cache)) == 3


def test_writing_to_a_tensor_stays_in_the_process(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    data = prepare("voc2007", folder, SIZE, cache)
    before = digest(data)
    data.train.images.zero_()
    assert digest(data) != before == digest(prepare("voc2007", folder, SIZE, cache))


def test_the_folder_describes_itself(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    data = prepare("voc2007", folder, SIZE, cache)
    (entry,) = finished(cache)
    meta = json.loads((cache / entry / "meta.json").read_text())
    assert entry.startswith("voc2007-32-")
    assert (meta["images"], meta["fingerprint"]) == (voc_folder.COUNTS, data.fingerprint)


BUILD = """
import sys
from pathlib import Path
from mgsweep.guidance.datasets import cache, decode
root, folder, size, stop_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
decoded, resized = 0, decode.resized

def counting(sample, size):
    global decoded
    decoded += 1
    if decoded == stop_at:
        print("stopped", flush=True)
        sys.stdin.read()
    return resized(sample, size)

decode.resized, decode.BLOCK, decode.CHUNK = counting, 2, 1
cache.prepare("voc2007", root, size, folder)
print(decoded)
"""


def start(root: Path, cache: Path, stop_at: int = 0) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-W", "error", "-c", BUILD, str(root), str(cache), str(SIZE), str(stop_at)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_processes_that_start_together_decode_once(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    running = [start(folder, cache) for _ in range(2)]
    decoded = sorted(int(process.communicate(timeout=60)[0]) for process in running)
    assert decoded == [0, sum(voc_folder.COUNTS.values())]
    assert len(finished(cache)) == 1


def killed_at(folder: Path, cache: Path, stop_at: int) -> None:
    """A build that has decoded all images before this one, and is killed."""
    process = start(folder, cache, stop_at=stop_at)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopped\n"
    process.kill()
    process.communicate()
    (left,) = finished(cache)
    assert left.endswith(".part")


def test_a_build_killed_in_the_middle_is_no_cache(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    killed_at(folder, cache, 8)
    (folder / "JPEGImages" / "000000.jpg").touch()  # another fingerprint: the rest of an older one goes as well
    data = prepare("voc2007", folder, SIZE, cache)
    assert digest(data) == digest(prepare("voc2007", folder, SIZE, tmp_path / "untouched"))
    (entry,) = finished(cache)
    assert not entry.endswith(".part")


@pytest.mark.parametrize("stop_at", [1, 4, 13])
def test_a_build_that_was_killed_goes_on(tmp_path: Path, stop_at: int) -> None:
    """Blocks of two images are safe once the next one began; the last split's are, when it is done."""
    folder, cache = voc(tmp_path)
    killed_at(folder, cache, stop_at)
    again = start(folder, cache)
    decoded = int(again.communicate(timeout=60)[0])
    total = sum(voc_folder.COUNTS.values())
    assert total - stop_at < decoded <= total - (stop_at - 1) + 3  # as many as two threads may have in hand
    assert digest(prepare("voc2007", folder, SIZE, cache)) == digest(prepare("voc2007", folder, SIZE, tmp_path / "new"))
    assert not list(cache.glob("*/*.done"))


def test_a_mistake_found_before_a_kill_is_told_after_it(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    truncate(folder / "JPEGImages" / "000001.jpg")
    killed_at(folder, cache, 9)
    with pytest.raises(InvalidInput, match="000001.jpg"):
        prepare("voc2007", folder, SIZE, cache)
    assert finished(cache) == []


def test_an_interrupted_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    folder, cache = voc(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("mgsweep.guidance.datasets.decode.resized", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare("voc2007", folder, SIZE, cache)
    (left,) = finished(cache)
    assert left.endswith(".part")
    assert digest(prepare("voc2007", folder, SIZE, cache)) == digest(prepare("voc2007", folder, SIZE, tmp_path / "new"))


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    folder, cache = voc(tmp_path)
    told: list[tuple[int, int]] = []
    prepare("voc2007", folder, SIZE, cache, lambda done, total: told.append((done, total)))
    assert told[-1] == (39, 39)  # 13 images with a cat and a dog each
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_room_is_looked_for_before_anything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = voc(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(InvalidInput, match=r"needs 0.0 GB, the disk has 0.0 GB left"):
        prepare("voc2007", folder, SIZE, cache)
    assert finished(cache) == []

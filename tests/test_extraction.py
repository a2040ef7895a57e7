"""Unpacking archives from anywhere: what is in order comes out whole, anything else writes nothing (B53, B54)."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mgsweep import extraction
from mgsweep.errors import InvalidInput
from mgsweep.extraction import extract

FILES = {"VOCdevkit/VOC2007/JPEGImages/000001.jpg": b"pixels" * 1000, "VOCdevkit/VOC2007/a.txt": b"", "b": b"x"}


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, content in members:
            info.size = len(content) if info.isreg() else info.size
            tar.addfile(info, io.BytesIO(content))
    return path


def tar_member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def good_tar(path: Path) -> Path:
    folder = tar_member("VOCdevkit", type=tarfile.DIRTYPE)
    return tar_of(path, (folder, b""), *((tar_member(name), content) for name, content in FILES.items()))


def good_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("VOCdevkit")
        for name, content in FILES.items():
            file.writestr(name, content)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make", [good_tar, good_zip])
def test_files_come_out_as_they_went_in(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    seen: list[tuple[int, int]] = []
    extract(make(tmp_path / "archive"), tmp_path / "out", lambda done, total: seen.append((done, total)))
    assert files_below(tmp_path / "out") == FILES
    assert seen[-1] == (6001, 6001)


@pytest.mark.parametrize("make", [good_tar, good_zip])
def test_what_is_there_is_kept_and_what_is_short_is_replaced(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    archive, out = make(tmp_path / "archive"), tmp_path / "out"
    extract(archive, out)
    kept, torn = out / "b", out / "VOCdevkit/VOC2007/JPEGImages/000001.jpg"
    os.utime(kept, (1, 1))
    torn.write_bytes(b"pixels")
    extract(archive, out)
    assert kept.stat().st_mtime == 1
    assert files_below(out) == FILES


def zip_with(path: Path, name: str, content: bytes = b"x", mode: int = 0, flags: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        file.writestr("first", b"")
        file.writestr(info, content, zipfile.ZIP_DEFLATED)
    if flags:
        content = path.read_bytes()
        at = content.rindex(b"PK\x01\x02") + 8
        path.write_bytes(content[:at] + bytes([content[at] | flags]) + content[at + 1 :])
    return path


def tar_with(path: Path, info: tarfile.TarInfo, content: bytes = b"x") -> Path:
    return tar_of(path, (tar_member("first"), b""), (info, content))


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "tar climbs": (lambda p: tar_with(p, tar_member("../x")), "../x: would be unpacked outside"),
    "tar climbs later": (lambda p: tar_with(p, tar_member("a/../../x")), "would be unpacked outside"),
    "tar absolute": (lambda p: tar_with(p, tar_member("/etc/cron.d/x")), "would be unpacked outside"),
    "tar symlink": (
        lambda p: tar_with(p, tar_member("x", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "x: is not a plain file",
    ),
    "tar hardlink": (
        lambda p: tar_with(p, tar_member("x", type=tarfile.LNKTYPE, linkname="first")),
        "not a plain file",
    ),
    "tar device": (lambda p: tar_with(p, tar_member("x", type=tarfile.CHRTYPE)), "x: is not a plain file"),
    "tar fifo": (lambda p: tar_with(p, tar_member("x", type=tarfile.FIFOTYPE)), "x: is not a plain file"),
    "zip climbs": (lambda p: zip_with(p, "../x"), "../x: would be unpacked outside"),
    "zip climbs by backslash": (lambda p: zip_with(p, "..\\x"), "would be unpacked outside"),
    "zip symlink": (lambda p: zip_with(p, "x", mode=stat.S_IFLNK | 0o777), "x: is not a plain file"),
    "zip encrypted": (lambda p: zip_with(p, "x", flags=1), "x: is encrypted"),
    "zip bomb": (lambda p: zip_with(p, "x", bytes(10_000_000)), "more than 100 times its size"),
    "not an archive": (lambda p: p.write_text("<html>404</html>") and p, "cannot unpack the archive"),
    "cut short": (lambda p: p.write_bytes(good_tar(p).read_bytes()[:3000]) and p, "cannot unpack the archive"),
}


@pytest.mark.parametrize("case", BAD)
def test_b53_b54_bad_archives_write_nothing(tmp_path: Path, case: str) -> None:
    make, message = BAD[case]
    inside = tmp_path / "deep" / "out"
    with pytest.raises(InvalidInput, match=message):
        extract(make(tmp_path / "archive"), inside)
    assert files_below(tmp_path) == {"archive": (tmp_path / "archive").read_bytes()}


def test_b53_all_bad_members_are_named_at_once(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "archive", *((tar_member(name), b"") for name in ("../a", "ok", "/b")))
    with pytest.raises(InvalidInput) as raised:
        extract(archive, tmp_path / "out")
    assert [problem.key for problem in raised.value.problems] == ["../a", "/b"]


def test_b53_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MAX_FILES", 2)
    with pytest.raises(InvalidInput, match="at most 2 files, got 3"):
        extract(good_tar(tmp_path / "archive"), tmp_path / "out")


def test_b53_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "VOCdevkit").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="through a link"):
        extract(good_tar(tmp_path / "archive"), tmp_path / "out")
    assert files_below(tmp_path / "elsewhere") == {}


def test_b54_a_member_that_lies_about_its_size(tmp_path: Path) -> None:
    archive = good_zip(tmp_path / "archive")
    content = archive.read_bytes()
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"000001.jpg"))  # the directory comes last
    archive.write_bytes(content[: entry + 24] + (7).to_bytes(4, "little") + content[entry + 28 :])
    with pytest.raises(InvalidInput):
        extract(archive, tmp_path / "out")

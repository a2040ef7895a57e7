"""Fetching from a real server on this machine: resumed, verified, whole or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from mgsweep import download
from mgsweep.download import Published, fetch
from mgsweep.errors import InvalidInput

CONTENT = bytes(range(256)) * 20_000  # five blocks


class Server(BaseHTTPRequestHandler):
    """Sends CONTENT; as told it breaks off, ignores ranges, never ends or says the length."""

    break_at: ClassVar[int] = 0
    ranges: ClassVar[bool] = True
    endless: ClassVar[bool] = False
    announced: ClassVar[bool] = False
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0) if self.ranges else 0
        self.send_response(416 if start >= len(CONTENT) else 206 if start else 200)
        if self.announced:
            self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        content = CONTENT[start : self.break_at or None]
        try:
            self.wfile.write(content)
            while self.endless:
                self.wfile.write(CONTENT)
        except OSError:
            pass  # the client has seen enough

    def log_message(self, format: str, *args: object) -> None:
        """Not to the screen."""


@pytest.fixture
def file() -> Iterator[Published]:
    Server.break_at, Server.ranges, Server.endless, Server.announced, Server.asked = 0, True, False, False, []
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/data.tar"
        yield Published(url, len(CONTENT), f"md5:{hashlib.md5(CONTENT).hexdigest()}")
        server.shutdown()


def test_a_file_is_fetched_once(file: Published, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(file, tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(file, tmp_path / "new") == path
    assert Server.asked == [""]


def test_a_broken_download_goes_on_where_it_stopped(file: Published, tmp_path: Path) -> None:
    Server.break_at = 2_000_000
    with pytest.raises(InvalidInput, match=r"connection ended after 2,000,000 of 5,120,000 bytes.*try again"):
        fetch(file, tmp_path)
    assert not (tmp_path / "data.tar").exists()
    Server.break_at = 0
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert Server.asked == ["", "bytes=2000000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["data.tar"]


def test_a_server_without_ranges_begins_anew(file: Published, tmp_path: Path) -> None:
    (tmp_path / "data.tar.part").write_bytes(b"something else")
    Server.ranges = False
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_b54_a_wrong_digest_leaves_nothing(file: Published, tmp_path: Path) -> None:
    wrong = Published(file.url, file.size, "sha256:" + "0" * 64)
    with pytest.raises(InvalidInput, match="expected sha256 0000.* as published, got"):
        fetch(wrong, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_endless_answer_ends(file: Published, tmp_path: Path) -> None:
    Server.endless = True
    assert fetch(Published(file.url, file.size, file.digest), tmp_path).read_bytes() == CONTENT


@pytest.fixture
def bounded(file: Published) -> Published:
    """Of the file only the beginning of its digest is known, and what it is at most."""
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()[:10]}"
    return Published(file.url, 10**7, digest, "called.pth", exact=False)


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_whose_size_is_not_known(announced: bool, bounded: Published, tmp_path: Path) -> None:
    Server.announced = announced
    assert fetch(bounded, tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["called.pth"]


def test_a_file_whose_size_is_not_known_goes_on_where_it_stopped(bounded: Published, tmp_path: Path) -> None:
    Server.announced, Server.break_at = True, 2_000_000
    with pytest.raises(InvalidInput, match="connection ended after 2,000,000 of 5,120,000 bytes"):
        fetch(bounded, tmp_path)
    Server.break_at = 0
    assert fetch(bounded, tmp_path).read_bytes() == CONTENT
    assert Server.asked == ["", "bytes=2000000-"]


def test_what_is_larger_than_it_can_be_is_not_fetched(bounded: Published, tmp_path: Path) -> None:
    Server.announced = True
    with pytest.raises(InvalidInput, match="the server offers 5,120,000 bytes, expected at most 5,000,000"):
        fetch(replace(bounded, size=5_000_000), tmp_path)
    Server.announced, Server.endless = False, True
    with pytest.raises(InvalidInput, match=r"expected sha256 [0-9a-f]{10} as published, got"):
        fetch(replace(bounded, size=6_000_000), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_finished_part_of_a_file_whose_size_is_not_known(bounded: Published, tmp_path: Path) -> None:
    """As when the process is killed after the last byte."""
    Server.announced = True
    (tmp_path / "called.pth.part").write_bytes(CONTENT)
    assert fetch(bounded, tmp_path).read_bytes() == CONTENT


def test_offline_says_what_to_put_where(tmp_path: Path) -> None:
    nowhere = Published("http://127.0.0.1:9/data.tar", 10, "md5:0")
    with pytest.raises(InvalidInput, match=r"data.tar: cannot fetch http://127.0.0.1:9/data.tar: .*put it here"):
        fetch(nowhere, tmp_path)


def test_a_full_disk_is_seen_before(file: Published, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="needs 1000000.0 GB, the disk has"):
        fetch(Published(file.url, 10**15, file.digest), tmp_path)
    assert Server.asked == []
    assert download.check_room(tmp_path, 1) is None

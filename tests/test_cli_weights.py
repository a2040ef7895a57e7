"""`mgsweep weights` as a user meets it, against a server on this machine with small generated files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from golden import filled
from typer.testing import CliRunner

from mgsweep import cli
from mgsweep.download import Published
from mgsweep.errors import InvalidInput
from mgsweep.guidance.models import sources

TINY = ("xdnn", "resnet10")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Not to the screen."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The one published file, of the smallest network; its folder on the server."""
    monkeypatch.setenv("MGSWEEP_WEIGHTS", str(tmp_path / "weights"))
    folder = tmp_path / "server"
    folder.mkdir()
    state = {f"module.{name}": value for name, value in filled(*TINY, classes=10).network.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state}, folder / "draft.pth")
    digits = hashlib.sha256((folder / "draft.pth").read_bytes()).hexdigest()[:8]
    file = (folder / "draft.pth").rename(folder / f"tiny-{digits}.pth")
    with HTTPServer(("127.0.0.1", 0), lambda *request: Quiet(*request, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        published = Published(
            f"http://127.0.0.1:{server.server_port}/{file.name}", 10**7, f"sha256:{digits}", exact=False
        )
        known = sources.PUBLISHED.copy()
        monkeypatch.setattr(sources, "PUBLISHED", {**known, TINY: sources.Weights(published, "us", "MIT")})
        yield folder
        server.shutdown()


def mgsweep(*arguments: str) -> str:
    done = CliRunner().invoke(cli.app, ["weights", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def there() -> str:
    return next(
        row["there"] for row in json.loads(mgsweep("list", "--format", "json")) if row["network"] == "/".join(TINY)
    )


def test_fetched_listed_checked(served: Path, tmp_path: Path) -> None:
    assert there() == "no"
    (name,) = [file.name for file in served.iterdir()]
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / f"{name}.part").write_bytes((served / name).read_bytes()[:1000])
    assert "ready  xdnn/resnet10" in mgsweep("fetch", "xdnn/resnet10")
    assert [file.name for file in (tmp_path / "weights").iterdir()] == [name]
    assert there() == "yes"
    assert "fits  xdnn/resnet10: 12 tensors, sha256" in mgsweep("check")


def test_another_file_than_published_is_not_kept(served: Path, tmp_path: Path) -> None:
    (file,) = served.iterdir()
    file.write_bytes(b"<html>you are not logged in</html>")
    with pytest.raises(InvalidInput, match=r"expected sha256 [0-9a-f]{8} as published, got"):
        mgsweep("fetch", "xdnn/resnet10")
    assert not list((tmp_path / "weights").iterdir())


def test_check_tells_what_is_wrong_with_every_file(served: Path, tmp_path: Path) -> None:
    mgsweep("fetch", "xdnn/resnet10")
    (file,) = (tmp_path / "weights").iterdir()
    torch.save(filled("vanilla", "resnet10").network.state_dict(), file)
    with pytest.raises(InvalidInput, match="it is damaged or another file"):
        mgsweep("check")
    entry = sources.PUBLISHED[TINY]
    sources.PUBLISHED[TINY] = replace(entry, file=replace(entry.file, digest="sha256:"))
    with pytest.raises(InvalidInput) as caught:
        mgsweep("check")
    assert len([problem for problem in caught.value.problems if "is not a parameter" in problem.message]) > 10


def test_offline_says_which_file_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGSWEEP_WEIGHTS", str(tmp_path))
    entry = sources.PUBLISHED["bcos", "resnet50"]
    nowhere = replace(entry, file=replace(entry.file, url="http://127.0.0.1:9/download"))
    monkeypatch.setattr(sources, "PUBLISHED", {("bcos", "resnet50"): nowhere})
    with pytest.raises(InvalidInput, match=rf"{tmp_path}/resnet_50-f46c1a4159.pth: cannot fetch .*and put it here"):
        mgsweep("fetch", "bcos/resnet50")


def test_a_sweep_file_asks_for_all_it_starts_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGSWEEP_WEIGHTS", str(tmp_path))
    entry = sources.PUBLISHED["vanilla", "resnet18"]
    nowhere = replace(entry, file=replace(entry.file, url="http://127.0.0.1:9/net.pth"))
    monkeypatch.setattr(sources, "PUBLISHED", dict.fromkeys([("vanilla", "resnet18"), ("bcos", "resnet18")], nowhere))
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("grids: [{dataset: shapes, model: [vanilla, bcos], backbone: resnet18, weights: imagenet}]")
    monkeypatch.setattr("mgsweep.guidance.validity.PUBLISHED", sources.PUBLISHED)
    with pytest.raises(InvalidInput, match=r"cannot fetch http://127.0.0.1:9/net.pth"):
        mgsweep("fetch", str(sweep))
    with pytest.raises(
        InvalidInput, match=r"no weights are published for 'resnet18'; there are vanilla/resnet18, bcos"
    ):
        mgsweep("fetch", "resnet18")

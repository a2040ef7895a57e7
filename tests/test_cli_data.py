"""`mgsweep data` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
import voc_folder

from mgsweep.cli import main
from mgsweep.listings.machine import machine


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MGSWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MGSWEEP_DATA", str(tmp_path / "nowhere"))
    return voc_folder.write(tmp_path / "data")


def typed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["mgsweep", "data", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_check_counts_and_writes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "check", "voc2007", "--root", str(root), "--size", "32") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "voc2007 at 32 pixels"
    assert printed[2].split() == ["train", "6", "0", "12", "18", "0", "0"]
    assert not Path("cache").exists()


def test_mistakes_are_listed_together_and_nothing_is_written(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Annotations/000001.xml").write_text("<annotation>")
    (root / "Annotations/000008.xml").write_text("<html/>")
    for command in ("check", "prepare"):
        assert typed(monkeypatch, command, "voc2007", "--root", str(root)) == 2
        assert capsys.readouterr().err.startswith("2 errors\n")
    assert not Path("cache").exists()


def test_prepare_decodes_once(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert typed(monkeypatch, "prepare", "voc2007", "--root", str(root), "--size", "32") == 0
        assert "train 6, val 3, test 4 images, 20 classes" in capsys.readouterr().out
    assert len(list(Path("cache").glob("voc2007-32-*"))) == 1


def test_a_sweep_file_names_all_it_trains_on(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = f"{{layout: voc, name: pets, root: {root}}}"
    grids = f"[{{dataset: [voc2007, {own}], model: vanilla, loss: none, image_size: [32, 40]}}]"
    Path("mine.yaml").write_text(f"data: {{voc2007: {root}}}\ngrids: {grids}\n")
    assert typed(monkeypatch, "prepare", "mine.yaml") == 0
    assert [line.split()[1][:5] for line in capsys.readouterr().out.splitlines()] == ["pets_"] * 2 + ["voc20"] * 2
    assert typed(monkeypatch, "check", "mine.yaml", "--root", str(root)) == 2


def test_a_scale_of_a_sweep_has_its_own_size(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grids = "grids: [{dataset: voc2007, model: vanilla, loss: none}]"
    Path("mine.yaml").write_text(f"data: {{voc2007: {root}}}\nscales: {{smoke: {{image_size: 32}}}}\n{grids}\n")
    for command in ("check", "prepare"):
        assert typed(monkeypatch, command, "mine.yaml", "--scale", "smoke") == 0
        assert "voc2007 at 32 pixels" in capsys.readouterr().out
    assert typed(monkeypatch, "check", "voc2007", "--scale", "smoke") == 2


def test_fetch_says_what_to_do_without_an_archive(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, "fetch", "shapes") == 2
    assert "archives are known of voc2007, coco2014" in capsys.readouterr().err
    for task in ("waterbirds", "waterbirds_reversed"):
        assert typed(monkeypatch, "fetch", task) == 2
        assert "is made from CUB-200-2011 and Places" in " ".join(capsys.readouterr().err.split())


def test_an_unknown_name(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(monkeypatch, "check", "voc2008") == 2
    assert "did you mean 'voc2007'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["voc2007", "coco2014"])
def test_a_folder_that_is_not_there_comes_with_the_ways_to_have_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert typed(monkeypatch, "check", name) == 2
    said = capsys.readouterr().err
    assert f"mgsweep data fetch {name}, or say where it lies: data: {{{name}: FOLDER}} in the sweep file" in said
    assert said.rstrip().endswith("or MGSWEEP_DATA")


@pytest.mark.parametrize("name", ["pets", "pets_0123456789ab"])
def test_own_data_are_named_by_their_sweep_file(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert typed(monkeypatch, "check", name) == 2
    assert "data of your own: name the sweep file" in capsys.readouterr().err


def test_doctor_tells_which_data_sets_are_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> str:
        return next(str(row["found"]) for row in machine(Path("results")) if row["what"] == "data sets")

    assert told() == f"{Path('nowhere').resolve()}: none of voc2007, coco2014, waterbirds"
    monkeypatch.setenv("MGSWEEP_DATA", "mine")
    Path("mine/coco2014").mkdir(parents=True)
    assert told() == f"{Path('mine').resolve()}: coco2014"

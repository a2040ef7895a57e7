"""The command line as a user meets it: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import voc_folder

from mgsweep import __version__
from mgsweep.cli.summary import print_gains
from mgsweep.cli.written import asked, goals_of
from mgsweep.pareto import Goals
from mgsweep.plan import Plan, load
from mgsweep.screen import Screen, show
from mgsweep.store import Store
from mgsweep.trial import Trial

ROOT = Path(__file__).parents[1]

SWEEP = """
name: tiny
data: {voc2007: %s}
common: {dataset: voc2007, backbone: resnet10, image_size: 32, batch_size: 3, learning_rate: 1e-3}
baseline: {epochs: 2}
guided: {epochs: 1}
grids:
  - {model: bcos, attribution: bcos, depth: [input, final], loss: energy, lambda_loc: 0.01}
"""


def mgsweep(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mgsweep", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=environment)


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGSWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSWEEP_STORE", raising=False)
    file = tmp_path / "tiny.yaml"
    file.write_text(SWEEP % voc_folder.write(tmp_path / "data"))
    return file


@pytest.fixture
def finished(sweep: Path, tmp_path: Path) -> Path:
    """The store of a sweep that ran."""
    done = mgsweep("run", sweep, "--local", "--store", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path / "results"


def test_a_run_says_what_it_does_and_what_to_type_next(sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("run", sweep, "--local", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "tiny  3 trials: 0 done, 3 to run"
    assert sum(line.startswith("started") for line in lines) == 3
    assert sum(line.startswith("done") for line in lines) == 3
    assert lines[-1] == f"all 3 done. Next: mgsweep figures {sweep}"
    assert (tmp_path / "results" / "tiny" / "plan.parquet").exists()
    again = mgsweep("run", sweep, "--local", cwd=tmp_path)
    assert again.stdout.startswith("tiny  3 trials: 3 done, 0 to run")
    assert again.returncode == 0


def test_a_dry_run_writes_nothing(sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("run", sweep, "--dry-run", "--set", "lambda_loc=1,2", cwd=tmp_path)
    assert done.stdout.strip() == "tiny  5 trials: 0 done, 5 to run"
    assert not (tmp_path / "results").exists()


def test_the_summary_tells_how_epg_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guided outside of the boxes the largest gain is a fall, and is shown as one."""
    store = Store(tmp_path / "one")
    baseline = Trial(dataset="shapes", model="bcos")
    own = {"probe_attribution": "bcos", "probe_depth": "input", "split": "val", "f1": 0.9}
    store.commit(baseline.id, [{"id": baseline.id, **baseline.to_row(), **own, "epoch": 1, "epg": 0.5}])
    guided = Trial(
        dataset="shapes", model="bcos", attribution="bcos", depth="input", loss="energy", lambda_loc=1,
        parent=baseline.id, guidance_region="outside",
    )  # fmt: skip
    common = {"id": guided.id, **guided.to_row(), **own}
    store.commit(guided.id, [{**common, "epoch": n, "epg": epg} for n, epg in enumerate((0.6, 0.2), start=1)])
    print_gains(store)
    said = " ".join(capsys.readouterr().out.split())
    assert "Largest EPG gain, a fall where guided outside of the boxes" in said
    assert "20.0 (-30.0)" in said


def test_quiet_prints_only_the_summary(sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("run", sweep, "--local", "-q", "--only", "depth=final", cwd=tmp_path)
    assert "started" not in done.stdout
    assert "all 2 done" in done.stdout


def test_listings(finished: Path, sweep: Path) -> None:
    status = mgsweep("status", "--store", finished, "--format", "json")
    assert json.loads(status.stdout) == [
        {"sweep": "tiny", "trials": 3, "done": 3, "stopped": 0, "running": 0, "stale": 0, "interrupted": 0, "failed": 0,
         "waiting": 0, "failed_by": {}, "epochs_per_hour": None, "seconds_left": None, "hours": ANY,
         "gpu_hours": 0}
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(mgsweep("trials", "tiny", "--store", finished, "--format", "csv").stdout)))
    assert {row["id"] for row in rows} == {trial.id for trial in load(sweep).trials}
    assert {row["state"] for row in rows} == {"done"}
    assert mgsweep("trials", sweep, "--store", finished).stdout.count("bcos@final") == 1
    one = rows[-1]["id"]
    shown = mgsweep("show", one[:6], "--store", finished).stdout
    assert one in shown
    assert "lambda_loc" in shown
    assert f"{one}.parquet" in shown
    assert mgsweep("plan", sweep, "--store", finished).stdout.startswith("tiny  3 trials: 3 done, 0 to run")


def test_a_failure_is_shown_with_its_traceback(sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("run", sweep, "--local", "--set", "learning_rate=1e20", "--set", "model=vanilla",
                   "--set", "attribution=ixg", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "--retry all" in done.stdout
    (failed,) = Store(tmp_path / "results" / "tiny").failures()
    shown = mgsweep("show", failed, cwd=tmp_path).stdout
    assert "diverged in attempt 1" in shown
    assert "Traceback" in shown


def test_in_a_pipe_a_row_is_a_line() -> None:
    code = "from mgsweep.screen import show; show([{f'column {n}': f'value {n} of many' for n in range(9)}])"
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert len(said.stdout.splitlines()) == 2


def test_a_message_with_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """It would be markup to the terminal's printer, which raises on a tag that does not close."""
    trial = Trial(dataset="shapes", model="bcos")
    with Screen([trial]) as screen:
        screen.started(trial)
        screen.failed(trial, "IndexError: boxes[0] of [/x] is [red]")
    assert "IndexError: boxes[0] of [/x] is [red]" in capsys.readouterr().out
    show([{"field": "a[/b]"}])
    assert "a[/b]" in capsys.readouterr().out


def test_figures(finished: Path, tmp_path: Path) -> None:
    done = mgsweep("figures", "tiny", "--store", finished, "--out", tmp_path / "figures")
    assert done.returncode == 0, done.stderr
    names = {Path(line).name for line in done.stdout.splitlines()}
    assert {"epg-f1.pdf", "epg-f1.png", "epg-f1.csv"} <= names
    assert (tmp_path / "figures" / "tiny" / "epg-f1.png").stat().st_size > 10_000


def test_a_report_is_one_file_with_commands_that_run(finished: Path, sweep: Path, tmp_path: Path) -> None:
    done = mgsweep("report", sweep, "--store", finished, "--out", tmp_path / "pages")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "pages" / "tiny.html")]
    watched = mgsweep("report", "tiny", "--store", finished, "--out", tmp_path / "pages", "--watch")
    assert watched.returncode == 0  # nothing is left to wait for
    assert [file.name for file in (tmp_path / "pages").iterdir()] == ["tiny.html"]
    assert asked(Store(finished / "tiny"), "tiny") == [str(sweep)]


def test_a_report_measures_what_its_sweep_searches_for() -> None:
    search = {"budget": {"trials": 3}, "objectives": {"iou": "max", "seconds": "min"}, "constraints": {"f1": 0.02}}
    assert goals_of({"search": search}) == Goals({"iou": "max", "seconds": "min"}, {"f1": 0.02})
    assert goals_of({"early_stop": {"at": [1], "objectives": {"f1": "max"}}}) == Goals({"f1": "max"}, {})
    assert goals_of({}) == Goals({"f1": "max", "epg": "max"}, {})
    for unknown in ({"search": "no search"}, {"search": {**search, "objectives": 5}}):
        assert goals_of(unknown) is None


def test_version() -> None:
    done = mgsweep("--version")
    assert (done.returncode, done.stdout) == (0, f"mgsweep {__version__}\n")


def test_schema_and_doctor(tmp_path: Path) -> None:
    assert json.loads(mgsweep("schema").stdout)["title"] == "Sweep"
    found = mgsweep("doctor", cwd=tmp_path)
    assert found.returncode == 0
    assert re.search(r"torch +\d", found.stdout)
    assert list(tmp_path.iterdir()) == []


def test_the_store_may_be_named_by_the_environment(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MGSWEEP_STORE", str(finished))
    assert "tiny" in mgsweep("status").stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("loss: energy", "loss: enrgy"), "unknown loss 'enrgy'; did you mean 'energy'?"),
        (("lambda_loc: 0.01", "lambda_loc: -1"), "grids[0].lambda_loc: expected a number >= 0, got -1"),
        (("lambda_loc: 0.01", "lambda_loc: '1e-3'"), "expected a number, got '1e-3'; write it without quotes"),
        (("data: {", "data: {voc2007: nowhere} # {"), "nowhere"),
    ],
)
def test_mistakes_exit_2_with_a_message_and_write_nothing(
    sweep: Path, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    sweep.write_text(sweep.read_text().replace(*change))
    done = mgsweep("run", sweep, "--local", "--store", tmp_path / "results")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()
    assert not list((tmp_path / "cache").glob("[!.]*"))


def test_a_damaged_image_and_a_box_outside_are_found_before_training(sweep: Path, tmp_path: Path) -> None:
    folder = next((tmp_path / "data").glob("**/JPEGImages"))
    image = sorted(folder.iterdir())[0]
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    done = mgsweep("run", sweep, "--local", "--store", tmp_path / "results")
    assert (done.returncode, image.name in done.stderr) == (2, True), done.stderr
    image.write_bytes(whole)
    annotation = sorted((folder.parent / "Annotations").iterdir())[1]
    annotation.write_text(annotation.read_text().replace("<xmax>20", "<xmax>2000"))
    done = mgsweep("run", sweep, "--local", "--store", tmp_path / "results")
    assert (done.returncode, annotation.name in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "results").exists()


def test_a_store_that_cannot_be_written(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the way")
    done = mgsweep("run", sweep, "--local", "--store", tmp_path / "results")
    assert done.returncode == 2
    assert "cannot write results here" in done.stderr


@pytest.mark.parametrize(
    "usage",
    ["run", "run x.yaml --bogus", "shwo", "trials nothing", "status --format xml", "run x.yaml --retry luck"],
)
def test_wrong_usage_exits_2(usage: str, tmp_path: Path) -> None:
    done = mgsweep(*usage.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_or_ambiguous_id(finished: Path) -> None:
    assert "fits none" in mgsweep("show", "zzz", "--store", finished).stderr
    assert mgsweep("show", "", "--store", finished).returncode == 2


def test_ctrl_c_of_a_local_run(sweep: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mgsweep", "run", str(sweep), "--local", "--set", "epochs=500"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as process:
        store = Store(tmp_path / "results" / "tiny")
        while not store.begun():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "0 of 3 done, every finished epoch is kept. Resume: mgsweep run" in " ".join(output.split())
    (trial,) = store.begun()
    assert Trial.from_row({k: v for k, v in store.progress(trial)[0].items() if v is not None}).id == trial


def test_the_report_and_the_gallery_of_a_scale_are_of_that_scale(sweep: Path, tmp_path: Path) -> None:
    """Its sweep file alone would run the sweep at full size."""
    sweep.write_text("scales: {smoke: {epochs: 1}}\n" + sweep.read_text())
    done = mgsweep("run", sweep, "--local", "--scale", "smoke", "--set", "seed=3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = Store(tmp_path / "results" / "tiny-smoke")
    assert asked(results, "tiny-smoke") == [str(sweep), "--scale", "smoke"]
    hung = mgsweep("gallery", sweep, "--scale", "smoke", "--images", "3", cwd=tmp_path)
    assert hung.stdout.splitlines()[-1] == "pictures of 3 trials. Next: mgsweep figures tiny-smoke gallery", hung.stderr
    assert mgsweep("gallery", sweep, cwd=tmp_path).returncode == 2  # at full size nothing ran
    (results.path / "sweep.yaml").write_text("name: tiny\n")
    assert asked(results, "tiny-smoke") == [str(results.path / "sweep.yaml")]


@pytest.fixture
def nameless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Store]:
    """A sweep file without a name, with a relative folder of data, and what a run of a scale of it wrote down."""
    file = tmp_path / "mine" / "tiny.yaml"
    file.parent.mkdir()
    file.write_text("scales: {smoke: {epochs: 1}}" + (SWEEP % "photos").replace("name: tiny", ""))
    results = Store(tmp_path / "results" / "tiny-smoke")
    planned = load(file, scale="smoke")
    results.begin(planned.text, planned.trials, planned.source)
    monkeypatch.chdir(tmp_path / "results")
    return file, results


def plan_of(arguments: list[str]) -> Plan:
    file, option, scale = arguments
    assert option == "--scale"
    return load(file, scale=scale)


def test_results_by_their_name_go_on_from_the_file_that_was_run(nameless: tuple[Path, Store]) -> None:
    file, results = nameless
    assert asked(results, "tiny-smoke") == [str(file), "--scale", "smoke"]
    again = plan_of(asked(results, "tiny-smoke"))
    assert (again.name, list(again.trials)) == ("tiny-smoke", results.planned())
    assert again.data == {"voc2007": file.parent / "photos"}
    copy = load(results.path / "sweep.yaml", scale="smoke")
    results.begin(copy.text, copy.trials, copy.source)  # who runs the copy does not forget the file
    assert asked(results, "tiny-smoke")[0] == str(file)


def test_a_file_below_this_folder_is_named_from_here(nameless: tuple[Path, Store], tmp_path: Path) -> None:
    """A page may be shown to others, whom the folders above do not concern."""
    os.chdir(tmp_path)
    assert asked(nameless[1], "tiny-smoke")[0] == "mine/tiny.yaml"


@pytest.mark.parametrize("change", [Path.unlink, lambda file: file.write_text("name: another")])
def test_without_that_file_they_go_on_from_its_copy(nameless: tuple[Path, Store], change: Any) -> None:
    file, results = nameless
    change(file)
    assert asked(results, "tiny-smoke") == ["tiny-smoke/sweep.yaml", "--scale", "smoke"]
    again = plan_of(asked(results, "tiny-smoke"))
    assert (again.name, list(again.trials)) == ("tiny-smoke", results.planned())

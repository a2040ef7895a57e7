"""What `status` says of the fronts of sweeps: volumes done by hand, from files alone, with nothing heavy loaded."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mgsweep.cli import app, fronts
from mgsweep.store import Store
from mgsweep.trial import Trial

BASELINE = Trial(dataset="shapes", model="bcos", epochs=1)
POINTS = [(0.5, 0.4), (0.4, 0.5), (0.3, 0.3), (0.2, 0.9)]  # above (0, 0) they cover 20, 24, 24 and 32 %
BEGAN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SEARCH = "search: {budget: {trials: 4}, "


def trials(dataset: str = "shapes", count: int = 4) -> list[Trial]:
    own = {"model": "bcos", "attribution": "bcos", "depth": "input", "loss": "energy", "parent": BASELINE.id}
    return [Trial(dataset=dataset, lambda_loc=n + 1, epochs=2, **own) for n in range(count)]


def row(trial: Trial, place: int, point: Sequence[float]) -> dict[str, Any]:
    began = BEGAN + datetime.timedelta(hours=place)
    own = {"probe_attribution": "bcos", "probe_depth": "input", "f1": point[0], "epg": point[1], "iou": 0.5}
    times = {"seconds": 60.0, "started": began}
    return {"sweep": "s", "id": trial.id, **trial.to_row(), "epoch": 1, "split": "val", **own, **times}


def filled(folder: Path, text: str = "", dataset: str = "shapes") -> Store:
    store = Store(folder)
    store.begin(f"name: {folder.name}\n{text}", [BASELINE, *trials(dataset)])
    store.commit(BASELINE.id, [row(BASELINE, 0, (0.4, 0.1))])
    for place, (trial, point) in enumerate(zip(trials(dataset), POINTS, strict=True)):
        store.commit(trial.id, [row(trial, place, point)])
    return store


def status(folder: Path) -> str:
    found = CliRunner().invoke(app, ["status", "--store", str(folder)], env={"COLUMNS": "160"})
    assert found.exit_code == 0, found.output
    return found.stdout.partition("Front on validation")[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f1, epg 20.0 24.0 24.0 32.0"),
        (SEARCH + "objectives: {epg: max, iou: max}}", "epg, iou 20.0 25.0 25.0 45.0"),
        (SEARCH + "constraints: {f1: 0.05}}", "f1, epg 20.0 24.0 24.0 24.0"),  # the last one's F1 is too low
        ("early_stop: {at: [1], objectives: {f1: max}}", "f1 50.0 50.0 50.0 50.0"),
    ],
)
def test_volumes_are_of_what_the_sweep_asks_for(text: str, said: str, tmp_path: Path) -> None:
    filled(tmp_path / "one", text)
    assert f"one shapes {said}" in " ".join(status(tmp_path).split())


def test_curves_are_drawn_over_trials_and_over_time(tmp_path: Path) -> None:
    store = filled(tmp_path / "one")
    slow = trials(count=5)[-1]
    store.plan([slow])
    store.commit(slow.id, [row(slow, 9, (0.1, 0.1)) | {"seconds": 6000.0}])
    over_trials, over_hours = (line for line in status(tmp_path).splitlines()[2].split()[-2:])
    assert len(over_trials) == len(over_hours) == fronts.WIDTH
    # All that was found was found in the first minutes, then the slow trial ran.
    assert over_hours.rstrip("⠉")[2:] == ""
    assert over_trials.rstrip("⠉")[2:] != ""


def test_every_data_set_has_a_front_of_its_own(tmp_path: Path) -> None:
    store = filled(tmp_path / "one")
    other = trials("voc2007", 1)[0]
    store.plan([other])
    store.commit(other.id, [row(other, 5, (1.0, 1.0))])
    assert [line.split()[1] for line in status(tmp_path).splitlines() if line.startswith("one")] == [
        "shapes",
        "voc2007",
    ]


def test_guided_outside_of_the_boxes_the_volume_is_of_what_lies_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "birds")
    store.begin("name: birds", [BASELINE])
    for place, (trial, (f1, epg)) in enumerate(zip(trials("waterbirds_reversed"), POINTS, strict=True)):
        outside = trial.model_copy(update={"guidance_region": "outside"})
        store.plan([outside])
        store.commit(outside.id, [row(outside, place, (f1, 1 - epg))])
    assert "birds waterbirds_reversed f1, epg 20.0 24.0 24.0 32.0" in " ".join(status(tmp_path).split())


def test_a_stopped_trial_is_no_part_of_the_front(tmp_path: Path) -> None:
    store = filled(tmp_path / "one")
    short = trials(count=5)[-1]
    store.plan([short])
    store.save(short.id, b"state", [row(short, 5, (1.0, 1.0))])
    store.stop(short.id)
    assert " 32.0 " in status(tmp_path)


def test_a_sweep_that_cannot_be_understood_or_measured_nothing_is_passed_over(tmp_path: Path) -> None:
    filled(tmp_path / "one", "search: {budget: {trials: 0}}")
    (filled(tmp_path / "two").path / "sweep.yaml").write_text("name: [")
    filled(tmp_path / "three", SEARCH + "objectives: {mean_ap: max}}")
    assert status(tmp_path) == ""


def test_a_volume_that_is_no_share_is_not_in_percent(tmp_path: Path) -> None:
    store = filled(tmp_path / "one", SEARCH + "objectives: {f1: max, seconds: min}}")
    slow = trials(count=5)[-1]
    store.plan([slow])
    store.commit(slow.id, [row(slow, 9, (0.1, 0.1)) | {"seconds": 6000.0}])
    fastest = 6000 - row(slow, 0, (0.1, 0.1))["seconds"]
    assert f" {0.5 * fastest:.3g} " in status(tmp_path)


def test_large_sweeps_are_named_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / "one")
    filled(tmp_path / "two").compact(prune=True)
    monkeypatch.setattr(fronts, "MANY", 6)
    text = status(tmp_path)
    assert "one " in text
    assert "Fronts of two: too many records for a quick look" in text


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    filled(tmp_path / "one")
    code = (
        "import sys\nfrom mgsweep.cli import main\n"
        f"sys.argv = ['mgsweep', 'status', '--store', {str(tmp_path)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'ray', 'optuna', 'matplotlib'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "Front on validation" in said.stdout

"""What trials took, whoever asks: what was measured at several probes together counts once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_store import GUIDED, row

from analysis.progress import progress
from mgsweep.listings.trials import by_trial
from mgsweep.pareto import USUAL
from mgsweep.runner.limits import Timings
from mgsweep.search.curves import curve_of, limits_of
from mgsweep.store import Store, records
from mgsweep.store.states import look
from mgsweep.trial import Probe

PROBES = (Probe("bcos", "input"), Probe("bcos", "mid2"), Probe("bcos", "final"))
LATER = Probe("gradcam", "final")
SECONDS = 2 * (3.0 + 5.0) + 2.0 + 7.0


def rows() -> list[dict[str, Any]]:
    """Two epochs of training and validation at three probes, a test at them, and a probe asked for later."""
    made = [row(GUIDED, epoch, "train", seconds=3.0) for epoch in (1, 2)]
    made += [row(GUIDED, epoch, "val", probe, seconds=5.0, f1=0.5, epg=0.5) for epoch in (1, 2) for probe in PROBES]
    made += [row(GUIDED, 2, "test", probe, seconds=2.0) for probe in PROBES]
    return [*made, row(GUIDED, 2, "val", LATER, seconds=7.0, f1=0.5, epg=0.5)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "demo")
    store.begin("name: demo", [GUIDED])
    return store


def test_of_what_is_done(store: Store) -> None:
    store.commit(GUIDED.id, rows())
    for _ in range(2):
        reader = Store(store.path)
        assert reader.seconds() == look(reader).spent == SECONDS
        assert [(row["epoch"], row["seconds"]) for row in reader.timings()] == [(2, SECONDS)]
        assert [row["seconds"] for row in by_trial(reader)] == [SECONDS]
        assert Timings(reader).spent == SECONDS
        assert progress(reader.frame())["hours"].tolist() == [SECONDS / 3600]
        store.compact(prune=True)


def test_of_what_is_on_its_way(store: Store) -> None:
    store.save(GUIDED.id, b"", rows())
    assert look(store).progress[GUIDED.id].seconds == SECONDS
    curve = curve_of(GUIDED, rows(), USUAL, limits_of(GUIDED, [], USUAL))
    assert curve.seconds == SECONDS


def test_two_sweeps_that_trained_the_same_trial_took_twice_the_time_for_twice_the_epochs(store: Store) -> None:
    for name in ("demo", "other"):
        Store(store.path.parent / name).commit(GUIDED.id, rows())
    assert [(row["epoch"], row["seconds"]) for row in Store(store.path.parent).timings()] == [(2, SECONDS)] * 2


def test_a_footer_that_counted_every_probe_is_not_believed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(records, "_SPENT", b"mgsweep seconds ")
        before.setattr(records, "seconds_of", lambda rows: sum(row["seconds"] for row in rows))
        store.commit(GUIDED.id, rows())
        assert Store(store.path).seconds() > SECONDS
    assert Store(store.path).seconds() == SECONDS


def test_the_footer_is_enough(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of ten thousand records is not decoded to say what it took."""
    store.commit(GUIDED.id, rows())
    monkeypatch.setattr(records.Records, "read", None)
    assert Store(store.path).seconds() == SECONDS

"""The hypervolume over trials and hours, against moocore and sums done by hand."""

from __future__ import annotations

import datetime

import moocore
import numpy as np
import pandas as pd
import pytest
from recorded import curves

from analysis.figures import FIGURES
from analysis.progress import members, progress

BEGAN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def frame() -> pd.DataFrame:
    """Recorded curves as if each trial had been begun when the one before was half through."""
    rows = curves()
    order = {name: n for n, name in enumerate(dict.fromkeys(rows["id"]))}
    started = [BEGAN + datetime.timedelta(minutes=order[name]) for name in rows["id"]]
    rows = rows[(rows["model"] == "bcos")].assign(seconds=3.0)
    return rows.assign(started=[started[n] for n in rows.index], stopped=False)


def test_the_volume_grows_as_moocore_says() -> None:
    rows = frame()
    told = progress(rows)
    assert told["trials"].tolist() == list(range(1, len(told) + 1))
    guided = rows[(rows["loss"] != "none") & (rows["split"] == "val")]
    for number in (1, 7, len(told)):
        points = guided[guided["id"].isin(told["id"][:number])][["f1", "epg"]].to_numpy()
        volume = moocore.hypervolume(points, ref=[0, 0], maximise=True)
        assert told["hypervolume"].iloc[number - 1] == pytest.approx(volume, rel=1e-12)
    assert told["hypervolume"].is_monotonic_increasing
    # each epoch was validated and tested, 3 s each
    assert told["hours"].iloc[-1] == pytest.approx(told["epochs"].iloc[-1] * 6 / 3600)
    best = moocore.is_nondominated(guided[["f1", "epg"]].to_numpy(), maximise=True)
    found = members(rows)
    assert set(zip(found["f1"], found["epg"], strict=True)) == set(
        map(tuple, guided.loc[best, ["f1", "epg"]].to_numpy())
    )
    assert found["f1"].is_monotonic_decreasing


def test_a_stopped_trial_counts_for_its_cost_alone() -> None:
    rows = frame()
    best = members(rows)["id"].iloc[0]
    rows["stopped"] = rows["id"] == best
    told, whole = progress(rows), progress(frame())
    assert told["hours"].tolist() == whole["hours"].tolist()
    assert told["hypervolume"].iloc[-1] < whole["hypervolume"].iloc[-1]
    assert best not in set(members(rows)["id"])
    assert told.set_index("id")["stopped"][best]


def test_constraints_and_costs() -> None:
    rows = frame()
    rows = rows[rows["depth"] != "mid2"]  # where no baseline was measured, which limits nothing
    limited = progress(rows, constraints={"f1": 0.05})
    assert 0 < limited["hypervolume"].iloc[-1] < progress(rows)["hypervolume"].iloc[-1]
    start = rows[(rows["loss"] == "none") & (rows["split"] == "val")]["f1"].max()
    assert (members(rows, constraints={"f1": 0.05})["f1"] >= start - 0.05).all()
    cheap = members(rows, {"seconds": "min"})
    assert cheap["seconds"].tolist() == [6.0]
    assert np.isfinite(progress(rows, {"f1": "max", "seconds": "min"})["hypervolume"]).all()


def test_guided_outside_of_the_boxes_what_is_outside_competes() -> None:
    rows = frame()
    turned = rows.assign(epg=1 - rows["epg"], guidance_region="outside")
    pd.testing.assert_frame_equal(progress(turned), progress(rows))
    bound = {"epg": 0.0}  # no epoch may have less where it is wanted than its baseline
    pd.testing.assert_frame_equal(progress(turned, constraints=bound), progress(rows, constraints=bound))
    pd.testing.assert_index_equal(members(turned, constraints=bound).index, members(rows, constraints=bound).index)
    least = members(turned, {"epg": "min"})  # who says min means min, wherever the trial is guided
    assert least["epg"].tolist() == [turned.loc[turned["loss"] != "none"].query("split == 'val'")["epg"].min()]


def test_nothing_gives_nothing() -> None:
    assert progress(frame().iloc[:0]).empty
    assert members(frame().iloc[:0]).empty
    assert FIGURES["search"].load().data(frame().iloc[:0]).empty

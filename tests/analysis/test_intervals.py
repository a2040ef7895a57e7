"""Seeds: attainment surfaces against moocore, bootstrap intervals against scipy and against every resample there is."""

from __future__ import annotations

from itertools import product

import moocore
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.attainment import attained, band
from analysis.intervals import RESAMPLES, SEED, bootstrap, summaries


def referee(fronts: list[np.ndarray], percent: float) -> np.ndarray:
    """The same surface by moocore, which minimises."""
    data = np.concatenate([-points for points in fronts])
    sets = np.repeat(np.arange(1, len(fronts) + 1), [len(points) for points in fronts])
    surface = -moocore.eaf(data, sets, percentiles=[percent])[:, :2]
    return np.unique(surface, axis=0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("percent", [20, 25, 50, 75, 100])
def test_surfaces_are_those_of_moocore(seed: int, percent: float) -> None:
    generator = np.random.default_rng(seed)
    fronts = [np.round(generator.random((generator.integers(1, 9), 2)), 1) for _ in range(generator.integers(2, 8))]
    assert attained(fronts, percent / 100).tolist() == referee(fronts, percent).tolist()


POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.lists(POINTS, min_size=1, max_size=5), st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_a_place_is_attained_if_that_share_of_the_fronts_reaches_it(
    fronts: list[list[tuple[int, int]]], share: float
) -> None:
    surface = attained(fronts, share)
    for x, y in product(range(7), repeat=2):
        reached = sum(any(px >= x and py >= y for px, py in points) for points in fronts)
        assert (reached >= share * len(fronts) - 1e-9) == any(px >= x and py >= y for px, py in surface)


def test_surfaces_of_little() -> None:
    assert attained([], 0.5).shape == (0, 2)
    assert attained([[], []], 0.5).shape == (0, 2)
    assert attained([[[1, np.nan]], [[1, 2]]], 0.5).tolist() == [[1, 2]]
    assert attained([[[1, 2]], []], 1.0).shape == (0, 2)  # one of them attains nothing
    assert (band(4), band(5)) == ((0.25, 1.0), (0.25, 0.75))
    assert band(3) == (1 / 3, 1.0)


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_intervals_are_those_of_scipy(statistic: object) -> None:
    values = np.random.default_rng(1).normal(0.7, 0.02, 6)
    theirs = stats.bootstrap(
        (values,), statistic, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(SEED)
    ).confidence_interval
    assert bootstrap(values, statistic) == pytest.approx((theirs.low, theirs.high), abs=8e-4)


def test_intervals_of_four_seeds_by_all_their_resamples() -> None:
    values = [0.1, 0.2, 0.4, 0.9]
    means = [np.mean(drawn) for drawn in product(values, repeat=4)]
    assert bootstrap(values) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.03)
    assert bootstrap(values) == bootstrap(values)


def test_intervals_of_one_and_of_none() -> None:
    assert bootstrap([0.5, np.nan]) == (0.5, 0.5)
    assert np.isnan(bootstrap([])).all()


def test_summaries_leave_out_what_was_not_measured() -> None:
    rows = pd.DataFrame({"k": ["b", "b", "a"], "f1": [1.0, 3.0, 5.0], "epg": [np.nan, 2.0, np.nan]})
    found = summaries(rows, ["k"], ["f1", "epg"])
    assert found[["k", "measure", "mean", "seeds"]].values.tolist() == [
        ["b", "f1", 2.0, 2],
        ["a", "f1", 5.0, 1],
        ["b", "epg", 2.0, 1],
    ]
    assert found["sd"].round(6).tolist()[0] == round(2**0.5, 6)
    assert found.loc[0, ["low", "high"]].tolist() == [1.0, 3.0]
    assert summaries(rows.head(0), ["k"], ["f1"]).empty

"""The front and the hypervolume against their definitions, the published code's answers and two other libraries."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from analysis.pareto import front, hypervolume, staircase

Points = NDArray[Any]

GOLDEN = Path(__file__).parents[1] / "golden" / "losses_metrics.npz"

# A coarse grid, so that ties and equal points are common.
COORDINATES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
POINTS = st.integers(1, 4).flatmap(
    lambda d: arrays(float, st.tuples(st.integers(0, 25), st.just(d)), elements=COORDINATES)
)
SQUARE = arrays(float, st.tuples(st.integers(0, 25), st.just(2)), elements=COORDINATES)


def dominates(a: Points, b: Points) -> bool:
    return bool((a >= b).all() and (a > b).any())


def front_by_definition(points: Points) -> list[int]:
    return [
        i
        for i, point in enumerate(points)
        if not any(dominates(other, point) for other in points)
        and not any((other == point).all() for other in points[:i])
    ]


@given(POINTS)
def test_the_front_is_the_definition(points: Points) -> None:
    assert front(points).tolist() == front_by_definition(points)


@given(POINTS, st.randoms(use_true_random=False))
def test_the_front_does_not_depend_on_the_order(points: Points, random: Random) -> None:
    order = random.sample(range(len(points)), len(points))
    members = {tuple(point) for point in points[front(points)]}
    assert {tuple(point) for point in points[order][front(points[order])]} == members


@given(POINTS)
def test_the_front_of_a_front_is_all_of_it(points: Points) -> None:
    members = points[front(points)]
    assert front(members).tolist() == list(range(len(members)))


@given(SQUARE, st.integers(0, 24))
def test_a_nan_takes_no_part(points: Points, row: int) -> None:
    row = min(row, len(points))
    spoiled = np.insert(points, row, [np.nan, 2.0], axis=0)
    kept = front(points)
    assert front(spoiled).tolist() == (kept + (kept >= row)).tolist()


def test_the_published_selection() -> None:
    golden = np.load(GOLDEN)
    assert front(golden["pareto_points"], bin_width=0.005).tolist() == golden["pareto_front"].tolist()


def test_bins_round_to_the_nearest_and_the_earliest_stays() -> None:
    points = [[0.701, 0.5], [0.699, 0.502], [0.703, 0.4]]  # in bins of 0.005: (140, 100), (140, 100), (141, 80)
    assert front(points, bin_width=0.005).tolist() == [0, 2]
    assert front(points).tolist() == [0, 1, 2]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_random_points_against_moocore(dimensions: int) -> None:
    points = np.random.default_rng(dimensions).random((2000, dimensions))
    corner = np.full(dimensions, 0.1)
    mask = moocore.is_nondominated(points, maximise=True)
    assert front(points).tolist() == np.flatnonzero(mask).tolist()
    assert hypervolume(points, corner) == pytest.approx(
        moocore.hypervolume(points, ref=corner, maximise=True), rel=1e-12
    )


@pytest.mark.parametrize("dimensions", [2, 3])
def test_random_points_against_optuna(dimensions: int) -> None:
    referee = pytest.importorskip("optuna._hypervolume", reason="a private module of optuna")
    points = np.random.default_rng(dimensions).random((200, dimensions))
    expected = referee.compute_hypervolume(-points, np.zeros(dimensions))
    assert hypervolume(points, np.zeros(dimensions)) == pytest.approx(expected, rel=1e-12)


def test_many_points_on_one_front() -> None:
    falling = np.stack([np.arange(100_000), np.arange(100_000)[::-1]], axis=1)
    assert len(front(falling)) == 100_000


@given(POINTS)
def test_the_hypervolume_is_the_area_of_the_covered_cells(points: Points) -> None:
    dimensions = points.shape[1]
    edges = np.array([0.1, 0.25, 0.5, 0.75, 1.0])  # every coordinate above the reference is an edge
    cells = np.stack(np.meshgrid(*[edges] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    sizes = np.stack(np.meshgrid(*[np.diff(edges, prepend=0.1)] * dimensions, indexing="ij"), axis=-1).reshape(
        cells.shape
    )
    covered = (points[:, None] >= cells).all(axis=2).any(axis=0)
    expected = sizes.prod(axis=1)[covered].sum()
    assert hypervolume(points, [0.1] * dimensions) == pytest.approx(expected, abs=1e-12)


@given(SQUARE, arrays(float, 2, elements=COORDINATES))
def test_another_point_never_shrinks_the_hypervolume(points: Points, further: Points) -> None:
    assert hypervolume([*points, further], [0, 0]) >= hypervolume(points, [0, 0]) - 1e-12


def test_the_hypervolume_of_nothing() -> None:
    assert hypervolume([], [0.0, 0.0]) == 0.0
    assert hypervolume([[0.5, 0.1], [np.nan, 0.9]], [0.2, 0.2]) == 0.0
    assert hypervolume([[0.1, 0.1, 0.1]], [0.2, 0.2, 0.2]) == 0.0


def test_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected points of shape \(N, 3\), got \(3, 2\)"):
        hypervolume(np.ones((3, 2)), [0, 0, 0])
    with pytest.raises(ValueError, match="expected bin_width > 0, got 0"):
        front([[1.0, 2.0]], bin_width=0)
    with pytest.raises(ValueError, match="axis 1"):
        front([1.0, 2.0])


def test_a_staircase_goes_down_before_it_goes_on() -> None:
    points = [[3, 1], [1, 3], [2, 2], [1, 1], [np.nan, 9]]
    assert staircase(points).tolist() == [[1, 3], [1, 2], [2, 2], [2, 1], [3, 1]]
    assert staircase([[1, 2]]).tolist() == [[1, 2]]
    assert staircase([]).shape == (0, 2)


@given(SQUARE)
def test_the_area_under_the_staircase_is_the_hypervolume(points: Points) -> None:
    corners = staircase(points)
    if not len(corners):
        return
    f1, epg = np.concatenate([[[0.0, corners[0, 1]]], corners]).T
    assert np.trapezoid(epg, f1) == pytest.approx(hypervolume(points, [0, 0]), abs=1e-12)

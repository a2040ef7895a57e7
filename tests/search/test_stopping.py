"""Early stop: who is ranked where, who may add to the front, and what is never stopped."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mgsweep.pareto import Goals
from mgsweep.plan.schema import EarlyStop
from mgsweep.search.curves import Curve, curve_of
from mgsweep.search.stopping import Group, ranked
from mgsweep.trial import Trial

NAMES = "abcdefgh"


def curve(*points: tuple[float, float]) -> Curve:
    return Curve(np.arange(1, len(points) + 1), np.array(points, dtype=float), np.empty((len(points), 0)))


def group(rule: str = "halving", at: tuple[int, ...] = (1,), keep: float = 0.5, **curves: Curve) -> Group:
    made = Group(EarlyStop(at=list(at), rule=rule, keep=keep))
    for name, own in curves.items():
        made.know(name, own, ended=name.isupper())
    return made


@given(st.integers(1, 8).flatmap(lambda n: arrays(float, (n, 2, 2), elements=st.integers(0, 6).map(float))))
def test_the_order_is_by_front_as_moocore_sees_it(values: np.ndarray) -> None:
    """Each front is made of those who are left; all who hold a place on it come before all who do not."""
    points = {NAMES[n]: own for n, own in enumerate(values)}
    order = ranked(points)
    assert sorted(order) == sorted(points)
    left = set(points)
    while left:
        together = np.concatenate([points[name] for name in sorted(left)])
        owner = np.repeat(sorted(left), 2)
        on_front = set(owner[moocore.is_nondominated(together, maximise=True, keep_weakly=False)])
        next_ones = order[len(points) - len(left) :][: len(on_front)]
        assert set(next_ones) == on_front
        left -= on_front


def test_within_a_front_by_what_it_would_lose() -> None:
    alone, crowded = [(0.0, 1.0), (1.0, 0.0)], [(0.5, 0.5), (0.51, 0.49)]
    order = ranked({name: np.array([point]) for name, point in zip("abcd", [*alone, *crowded], strict=True)})
    assert set(order[2:]) == {"c", "d"}


def test_nothing_measured_comes_last() -> None:
    nothing = np.array([[np.nan, 1.0]])
    assert ranked({"a": nothing, "b": np.zeros((1, 2)), "c": np.empty((0, 2))}) == ["b", "a", "c"]
    assert ranked({}) == []


def test_halving_stops_the_worse_half() -> None:
    made = group(a=curve((0.9, 0.9)), b=curve((0.5, 0.5)), c=curve((0.4, 0.6)), d=curve((0.1, 0.1)))
    assert {name for name in "abcd" if made.stops(name, 1)} == {"c", "d"} or {
        name for name in "abcd" if made.stops(name, 1)
    } == {"b", "d"}
    assert not any(made.stops(name, 2) for name in "abcd"), "2 is no epoch to judge at"


def test_halving_looks_at_what_the_others_had_reached_by_then() -> None:
    late = curve((0.1, 0.1), (0.9, 0.9))
    made = group(a=late, b=curve((0.5, 0.5)), keep=0.5)
    assert made.stops("b", 1) is False, "of the two it was the better after one epoch"
    assert made.stops("a", 1) is False, "it is on the front by now"


@pytest.mark.parametrize("rule", ["halving", "curve"])
@given(data=st.data())
def test_who_holds_a_place_on_the_front_goes_on(rule: str, data: st.DataObject) -> None:
    values = data.draw(arrays(float, (6, 3, 2), elements=st.integers(0, 9).map(float)))
    names = ["A", "B", "C", "d", "e", "f"]
    made = group(rule, (3,), 0.2, **{n: curve(*map(tuple, own)) for n, own in zip(names, values, strict=True)})
    together = values.reshape(-1, 2)
    best = moocore.is_nondominated(together, maximise=True, keep_weakly=True).reshape(6, 3)
    for name, own in zip(names, best, strict=True):
        mine = {tuple(point) for point in values[names.index(name)][own]}
        others = {tuple(point) for n, v, b in zip(names, values, best, strict=True) if n != name for point in v[b]}
        if mine - others:  # an equal of another's adds nothing
            assert not made.stops(name, 3), name


def test_curve_goes_by_the_best_continuation_seen() -> None:
    """Three ended, the best gained (0.3, 0.3) after its first epoch: who is further behind the front is stopped."""
    ended = {n: curve((0.4, 0.4), (0.4 + gain, 0.4 + gain)) for n, gain in zip("ABC", (0.3, 0.1, 0.0), strict=True)}
    made = group("curve", a=curve((0.45, 0.45)), b=curve((0.39, 0.39)), c=curve((0.38, 0.41)), **ended)
    assert not made.stops("a", 1)
    assert made.stops("b", 1)
    assert not made.stops("c", 1), "it would end beside the front, not below it"
    few = group("curve", b=curve((0.1, 0.1)), A=ended["A"], B=ended["B"])
    assert not few.stops("b", 1), "two curves say too little"


def test_what_breaks_a_constraint_is_no_rival() -> None:
    good = Curve(np.array([1]), np.array([[0.9, 0.9]]), np.array([[0.1]]))
    made = group("halving", a=good, b=curve((0.5, 0.5)))
    made.curves["b"] = Curve(np.array([1]), np.array([[0.5, 0.5]]), np.array([[-0.1]]))
    assert made.stops("a", 1)
    assert not made.stops("b", 1)


def test_guided_outside_of_the_boxes_it_is_little_energy_inside_that_goes_on() -> None:
    rule = EarlyStop(at=[2], rule="halving", keep=0.3)
    made, goals = Group(rule), Goals(rule.objectives)
    for number, epgs in enumerate([(0.3, 0.05), (0.5, 0.5), (0.55, 0.6)], start=1):
        trial = Trial(
            dataset="waterbirds_reversed", model="bcos", attribution="bcos", depth="input", loss="energy",
            lambda_loc=number, guidance_region="outside", parent="0" * 12,
        )  # fmt: skip
        own = {"probe_attribution": "bcos", "probe_depth": "input", "split": "val", "f1": 0.9, "seconds": 1.0}
        rows = [{**own, "epoch": epoch, "epg": epg} for epoch, epg in enumerate(epgs, start=1)]
        made.know(str(number), curve_of(trial, rows, goals, {}))
    assert {name for name in "123" if made.stops(name, 2)} == {"2", "3"}

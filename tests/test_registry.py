"""Tables of components."""

from __future__ import annotations

import pytest

from mgsweep.errors import UnknownName
from mgsweep.registry import Component, Registry

TABLE = Registry("thing", Component("one", "math:pi"), Component("two", "math:tau"))


def test_a_component_is_loaded_when_used() -> None:
    import math

    assert TABLE["one"].load() == math.pi
    assert list(TABLE) == ["one", "two"]
    assert "one" in TABLE
    assert "three" not in TABLE


def test_an_unknown_name_is_guessed() -> None:
    with pytest.raises(UnknownName, match=r"unknown thing 'ones'; did you mean 'one'\? \(known: one, two\)"):
        TABLE["ones"]
    with pytest.raises(KeyError):
        TABLE["ones"]


def test_a_clash_is_an_error() -> None:
    with pytest.raises(ValueError, match="share a name"):
        Registry("thing", Component("one", "math:pi"), Component("one", "math:tau"))


def test_it_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE["three"] = Component("three", "math:e")  # type: ignore[index]

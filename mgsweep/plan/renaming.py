"""Putting names in the place of what a sweep file describes or points at: data and weights known by their content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mgsweep.errors import InvalidInput, Problem
from mgsweep.plan.document import Document

Keys = tuple[Any, ...]
"""Nested keys that lead to a value of the file."""


def rename(document: Document, field: str, name_of: Callable[[Keys, Any], str | None]) -> None:
    """Ask for the name of every value that the file gives a field of `Trial`, and write it there.

    Args:
        name_of: says None for a value that stays, and raises InvalidInput for one that cannot be named.

    Raises:
        InvalidInput: the mistakes of all of them.
    """
    problems: list[Problem] = []
    for keys, axes in _sections(document.data):
        several = isinstance(axes.get(field), list)
        values = axes[field] if several else [axes.get(field)]
        for place, value in enumerate(values):
            try:
                name = name_of((*keys, field, *((place,) if several else ())), value)
            except InvalidInput as error:
                problems += error.problems
            else:
                values[place] = name or value
        if field in axes and not several:
            axes[field] = values[0]
    if problems:
        raise InvalidInput(problems)


def _sections(node: Any, keys: Keys = ()) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """Every mapping of the file at which a field may stand, with the keys that lead to it."""
    if isinstance(node, dict):
        yield keys, node
        for key in ("common", "grids", "zip", "when", "exclude", "if", "then"):
            yield from _sections(node.get(key), (*keys, key))
    elif isinstance(node, list):
        for place, part in enumerate(node):
            yield from _sections(part, (*keys, place))

"""Tables of components that can be read without loading them.

A registry line names a component, states the facts that planning needs, and says where its code lies. The code is
imported when the component is first used, so `mgsweep plan` knows every loss and model without importing torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mgsweep.errors import UnknownName


@dataclass(frozen=True)
class Component:
    """One registry line. `target` is "package.module:attribute"."""

    name: str
    target: str

    def load(self) -> Any:
        """Import and return the code behind this line."""
        module, attribute = self.target.split(":")
        return getattr(importlib.import_module(module), attribute)


C = TypeVar("C", bound=Component)


class Registry(Mapping[str, C], Generic[C]):
    """An immutable table name -> component of one kind.

    Raises:
        ValueError: two lines share a name (a mistake in the table itself).
        UnknownName: on looking up a name that has no line.
    """

    def __init__(self, kind: str, *components: C) -> None:
        self.kind = kind
        self._components = {component.name: component for component in components}
        if len(self._components) < len(components):
            raise ValueError(f"two lines of the {kind} registry share a name")

    def __getitem__(self, name: str) -> C:
        try:
            return self._components[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._components) from None

    def __contains__(self, name: object) -> bool:
        return name in self._components

    def __iter__(self) -> Iterator[str]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)

"""What the sweep file says that lies in a store, beside the results it asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mgsweep.pareto import USUAL, Goals
from mgsweep.store import Store


def written(results: Store) -> dict[str, Any]:
    """The stored sweep file; nothing if there is none.

    Raises:
        InvalidInput: it is no sweep file.
    """
    from mgsweep.plan.document import read

    file = results.path / "sweep.yaml"
    return read(file).data if file.exists() else {}


def scale_of(folder: str, said: Mapping[str, Any]) -> list[str]:
    """The option by which the sweep file makes these results: a scale has a folder of its own."""
    scales = (str(scale) for scale in said.get("scales") or ())
    return next((["--scale", scale] for scale in scales if folder == f"{said.get('name')}-{scale}"), [])


def goals_of(said: Mapping[str, Any]) -> Goals | None:
    """What the sweep's trials compete in, by its search or early stop, else USUAL; None if that is not understood."""
    from mgsweep.plan.schema import EarlyStop, Search

    try:
        if said.get("search"):
            search = Search.model_validate(said["search"])
            return Goals(search.objectives, search.constraints)
        return Goals(EarlyStop.model_validate(said["early_stop"]).objectives) if said.get("early_stop") else USUAL
    except ValueError:
        return None

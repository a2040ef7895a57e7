"""What the sweep file says that lies in a store, beside the results it asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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


def asked(results: Store, sweep: str) -> list[str]:
    """The arguments by which a run adds to these results: the sweep file, and the scale.

    Args:
        sweep: the file, or its name in the store. Then it is the file that was run, as long as that is as it was, for
            relative folders of data count from there; else the copy in the store.
    """
    from mgsweep.plan import scale_of

    file = Path(sweep) if Path(sweep).suffix in (".yaml", ".yml") else results.source() or results.path / "sweep.yaml"
    scale = scale_of(written(results), file, results.path.name)
    where = str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
    return [where, "--scale", scale] if scale else [where]


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

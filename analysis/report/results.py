"""Everything a report is made from, read from a store once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.figures.names import plain
from mgsweep.store import Store
from mgsweep.store.gallery import Gallery
from mgsweep.store.states import state_of
from mgsweep.trial import CONFIG


@dataclass(frozen=True)
class Results:
    """A sweep as it stands.

    Own data have the names of `names.plain`, the same in all frames.

    `rows` is `Store.frame()` and below it the rows so far of unfinished trials; `planned` has a row for each trial
    asked for, with `id`, `state` and CONFIG; `failures` are those of the store; `text` is the sweep file. The trials of
    `hung` have stored pictures; they are many, so `pictures` reads them of one trial.
    """

    name: str
    text: str
    rows: pd.DataFrame
    planned: pd.DataFrame
    failures: Mapping[str, Mapping[str, Any]]
    hung: Collection[str]
    pictures: Callable[[str], list[dict[str, Any]]]

    @property
    def active(self) -> bool:
        """Whether a trial is being trained, or could be next."""
        return bool(self.planned["state"].isin(["running", "stale", "waiting", "interrupted"]).any())


def read(store: Store) -> Results:
    """The state of a sweep's folder. Damaged files are left out, which is said."""
    states = state_of(store)
    planned = [{"id": trial.id, "state": states[trial.id], **trial.to_row()} for trial in store.planned()]
    finished = store.frame()
    under_way = [row for name, state in states.items() if state != "done" for row in store.so_far(name)]
    parts = [finished] if not under_way else [finished, pd.DataFrame(under_way).reindex(columns=finished.columns)]
    rows = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    asked = pd.DataFrame(planned, columns=["id", "state", *CONFIG])
    file, gallery = store.path / "sweep.yaml", Gallery(store.path)
    return Results(
        name=store.path.name,
        text=file.read_text(encoding="utf-8", errors="replace") if file.exists() else "",
        rows=plain(rows, beside=asked["dataset"].unique()),
        planned=plain(asked, beside=rows["dataset"].dropna().unique()),
        failures=store.failures(),
        hung=gallery.hung(),
        pictures=gallery.pictures,
    )

"""Files in a folder of the user's choice: named safely, and never left there from an earlier run to mislead."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from analysis.selection import CELL, tuned
from mgsweep.errors import MgsweepError
from mgsweep.registry import Component

LONGEST_STEM = 100  # characters; file systems allow 255 bytes with the suffix
WRITTEN = ".mgsweep.json"
"""In the folder: what was written for each name, so that only that is ever removed."""


Kind = Literal["records", "counts", "stopped", "pictures"]
"""The kinds of rows that `analysis.records.read` tells apart."""


class NothingToDraw(MgsweepError):
    """The results hold nothing that a figure or table shows: most sweeps leave some out."""


@dataclass(frozen=True)
class Line(Component):
    """A registry line of a figure or table. `target` is a module.

    `shows` says in a line what is to be seen, `needs` which results it cannot do without, `reads` what it is made from.
    """

    shows: str
    needs: str
    reads: Kind = "records"

    def load(self) -> Any:
        """Import and return the module."""
        return importlib.import_module(self.target)

    def lacking(self, kind: str, frame: pd.DataFrame) -> NothingToDraw:
        """The error to raise when `frame` holds nothing of it."""
        trials = frame["id"].nunique() if "id" in frame else 0
        return NothingToDraw(f"{kind} {self.name!r}: nothing to draw: needs {self.needs}; {trials} trials have none")


def pages(
    name: str, keys: Sequence[str], data: pd.DataFrame, trials: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame]]:
    """A stem and the rows of each page, named by those of its keys that differ between pages.

    Of `trials`, rows of `selection.guided_trials`, the page's `attrs` hold what was `tuned` and by which `score` it was
    chosen, for its notes or caption.
    """
    differing = [key for key in keys if data[key].nunique() > 1]
    # Where a page's rows are: to go through the groups themselves would copy all rows into their order first.
    groups: dict[Any, Any] = data.groupby([*keys]).indices
    for _, places in sorted(groups.items()):
        page = data.take(places)
        competing = _competing(trials, page)
        page.attrs["tuned"] = tuned(competing)
        page.attrs["score"] = "accuracy" if len(competing) and competing["exclusive"].all() else "F1"
        yield stem("-".join([name, *(str(page[key].iloc[0]) for key in differing)])), page


def _competing(trials: pd.DataFrame, page: pd.DataFrame) -> pd.DataFrame:
    """The trials that a page was chosen from: of the cells of those it shows, or of all it tells of them."""
    shown = trials[trials["id"].isin(page["id"].unique())] if "id" in page else page
    cells = shown[[key for key in CELL if key in shown]].drop_duplicates()
    return trials.merge(cells, on=[*cells])


def stem(text: str) -> str:
    """The text, if it can be the name of a file; otherwise what can be of it, and a hash to keep it apart."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:LONGEST_STEM]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def to_csv(data: pd.DataFrame) -> str:
    """The rows as CSV, without pictures. An apostrophe goes before text that a spreadsheet would take for a formula."""
    safe = data.drop(columns=[name for name in data if len(data) and isinstance(data[name].iloc[0], bytes)])
    for name, column in safe.select_dtypes(include=["object", "str", "category"]).items():
        safe[name] = [
            f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
            for value in column
        ]
    return safe.to_csv(index=False, lineterminator="\n")


def replaced(folder: Path, name: str, files: Iterable[Path]) -> list[Path]:
    """Note that these are the files of `name` now, and remove those that an earlier run wrote for it and this did not.

    Args:
        files: directly in the folder; they are written as they are drawn from this iterable.
    """
    before = _written(folder)
    now = list(files)
    for stale in set(before.get(name, [])) - {path.name for path in now}:
        (folder / stale).unlink(missing_ok=True)
    after = before | {name: [path.name for path in now]}
    if after != before and (now or name in before):
        (folder / WRITTEN).write_text(json.dumps(after, indent=1, sort_keys=True) + "\n")
    return now


def _written(folder: Path) -> dict[str, list[str]]:
    """What was noted, if it can be read: a note that cannot only means that nothing is removed."""
    try:
        noted = json.loads((folder / WRITTEN).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(noted, dict):
        return {}
    return {
        name: [file for file in files if isinstance(file, str) and Path(file).name == file]
        for name, files in noted.items()
        if isinstance(files, list)
    }

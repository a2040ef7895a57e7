"""Tables of the paper. A new one is one file beside this and one line below.

A table's file holds `data(frame)`, which computes from the store's frame a tidy frame with one row for each number to
print, and says how those are laid out: see `Tabular`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from analysis import outputs
from analysis.selection import guided_trials
from mgsweep.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

    from analysis.tables.layout import Measure


class Tabular(Protocol):
    """What the module of a table holds.

    `data` gives the keys below, and `measure`, `mean`, `sd`, `low`, `high` and `seeds` (see `intervals.summaries`).
    """

    PAGE: tuple[str, ...]
    """Rows that differ in these are tables of their own."""
    GROUP: tuple[str, ...]
    """Rules stand between rows that differ in these."""
    ROW: tuple[str, ...]
    """What tells the rows of a group apart."""
    CONTEST: tuple[str, ...]
    """Numbers that agree in these compete for the bold face."""

    def data(self, frame: pd.DataFrame) -> pd.DataFrame: ...

    def head(self, page: pd.DataFrame) -> Mapping[str, str]:
        """Titles of the columns of names, and the columns of `data` that hold the names."""
        ...

    def measures(self, page: pd.DataFrame) -> Mapping[str, Measure]:
        """The columns of numbers, from left to right."""
        ...

    def caption(self, page: pd.DataFrame) -> str: ...


@dataclass(frozen=True)
class TableLine(outputs.Line):
    """One registry line."""

    def load(self) -> Tabular:
        """Import and return the module."""
        return cast("Tabular", super().load())


TABLES = Registry(
    "table",
    TableLine(
        "best-f1",
        "analysis.tables.best_f1",
        "F1, mAP, EPG and IoU of every loss at its best validation F1",
        "test results of guided trials",
    ),
    TableLine(
        "epg-at-f1",
        "analysis.tables.epg_at_f1",
        "the most EPG of every loss that costs at most 0, 1, 2 or 5 points of F1",
        "test results of guided trials and their baselines",
    ),
    TableLine(
        "hypervolumes",
        "analysis.tables.hypervolumes",
        "area below the fronts of EPG and IoU against F1, in all and beyond the baseline",
        "test results of guided trials",
    ),
    TableLine(
        "per-class",
        "analysis.tables.per_class",
        "F1 and EPG of every class at the best validation F1",
        "test results of guided trials with counts per class",
        reads="counts",
    ),
    TableLine(
        "groups",
        "analysis.tables.groups",
        "worst-group and overall accuracy of every loss (Table 1 of the paper)",
        "trials on a data set with groups, such as waterbirds",
    ),
    TableLine(
        "cost",
        "analysis.tables.cost",
        "hours, seconds an epoch and peak memory by device",
        "records with times",
    ),
)


def save(name: str, frame: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write the table as LaTeX (booktabs) and Markdown, and its numbers as CSV; the same input gives the same bytes.

    Args:
        name: a name of TABLES.
        frame: `Store.frame()`.
        folder: created if it is missing; what an earlier call wrote there for this name is replaced or removed.

    Returns:
        The paths `<name>.tex`, `.md` and `.csv`; with several pages, three `<name>-<what tells them apart>.*` for each.

    Raises:
        UnknownName: no such table.
        NothingToDraw: the frame has no result that this table shows; none of it is left in the folder.
    """
    line = TABLES[name]
    table = line.load()
    data = table.data(frame)
    if data.empty:
        outputs.replaced(Path(folder), name, [])
        raise line.lacking("table", frame)
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = (
        path
        for stem, page in outputs.pages(name, table.PAGE, data, guided_trials(frame))
        for path in _write(table, page, Path(folder, stem))
    )
    return outputs.replaced(Path(folder), name, paths)


def _write(table: Tabular, page: pd.DataFrame, stem: Path) -> Iterator[Path]:
    from analysis.tables import layout
    from analysis.tables.latex import latex
    from analysis.tables.markdown import markdown

    laid_out = layout.table(table, page)
    contents = {
        "tex": latex(laid_out, f"tab:{stem.name}"),
        "md": markdown(laid_out),
        "csv": outputs.to_csv(page),
    }
    for kind, content in contents.items():
        path = stem.with_name(f"{stem.name}.{kind}")
        path.write_text(content, encoding="utf-8")
        yield path

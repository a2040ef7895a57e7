"""Results of every class, and of every size of box, from the counts that the records keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures.points import beside_baselines
from analysis.selection import PROBE, at_own_probe, best_of_cells

DECIDED = ("true_positives", "false_positives", "false_negatives")
BY_CLASS = ("pairs_by_class", "epg_by_class")
BY_SIZE = ("pairs_by_size", "epg_by_size")
COUNTS = (*DECIDED, *BY_CLASS, *BY_SIZE)
"""Lists that records keep for what is here."""


def by_class(frame: pd.DataFrame) -> pd.DataFrame:
    """Test F1 and EPG of each class, of the baselines and of every experiment's best epoch by validation F1.

    Returns:
        The columns of `fronts` with `class` beside them, `f1` and `epg` being the class's; one row for each class.
        Empty without counts. A class without a pair has no EPG, one never seen nor named has no F1.
    """
    rows = _with_lists(frame, [*DECIDED, *BY_CLASS]).dropna(subset=[*DECIDED])
    known = frame.attrs.get("classes", {})
    classes = [
        _named(known.get(dataset), len(hits)) for dataset, hits in zip(rows["dataset"], rows[DECIDED[0]], strict=True)
    ]
    hits, false, missed = (_flat(rows[name]) for name in DECIDED)
    pairs, energy = (_flat(_filled(rows[name], rows[DECIDED[0]])) for name in BY_CLASS)
    each = _exploded(rows.drop(columns=[*DECIDED, *BY_CLASS]), "class", classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return each.assign(f1=2 * hits / (2 * hits + false + missed), epg=energy / pairs)


def by_size(frame: pd.DataFrame) -> pd.DataFrame:
    """Test EPG by the share of the image that the boxes of a pair cover, for the same models as `by_class`.

    Returns:
        The columns of `fronts` with `size`, the middle of its tenth, and `pairs`, how many there were; one row for each
        tenth that has a pair.
    """
    rows = _with_lists(frame, BY_SIZE).dropna(subset=[*BY_SIZE])
    pairs, energy = _flat(rows["pairs_by_size"]), _flat(rows["epg_by_size"])
    middles: list[list[float]] = [
        [(n + 0.5) / len(counts) for n in range(len(counts))] for counts in rows["pairs_by_size"]
    ]
    each = _exploded(rows.drop(columns=[*BY_SIZE]), "size", middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = each.assign(pairs=pairs, epg=energy / pairs)
    return each[each["pairs"] > 0].reset_index(drop=True)


def _with_lists(frame: pd.DataFrame, lists: Sequence[str]) -> pd.DataFrame:
    """The models to show, with some list columns of their test rows."""
    points = beside_baselines(at_own_probe(best_of_cells(frame)), frame, ["f1"])
    # A baseline's probe is named by where its children were guided.
    points = points.assign(probe_attribution=points["attribution"], probe_depth=points["depth"])
    key = ["id", "epoch", *PROBE]
    tested = frame.reindex(columns=[*key, "split", *lists])
    tested = tested[(tested["split"] == "test") & tested["id"].isin(points["id"])].astype(
        dict.fromkeys(["id", *PROBE], "str") | {"epoch": points["epoch"].dtype}
    )
    return points.merge(tested.drop(columns="split").drop_duplicates(key), on=key)


def _exploded(rows: pd.DataFrame, name: str, lists: Sequence[Sequence[str | float]]) -> pd.DataFrame:
    """Each row once for every item of its list."""
    items = [item for values in lists for item in values]
    repeated = rows.take(np.repeat(np.arange(len(rows)), [len(values) for values in lists])).reset_index(drop=True)
    return repeated.assign(**{name: pd.Series(items, index=repeated.index, dtype="float64" if not items else None)})


def _flat(lists: Iterable[Sequence[float]]) -> NDArray[np.float64]:
    return np.concatenate([np.empty(0), *(np.asarray(values, dtype=float) for values in lists)])


def _filled(lists: Iterable[Sequence[float] | None], like: Iterable[Sequence[float]]) -> list[Sequence[float]]:
    """Lists, and where there is none, as many NaN as another column has numbers."""
    return [
        [float("nan")] * len(other) if values is None or np.ndim(values) == 0 else values
        for values, other in zip(lists, like, strict=True)
    ]


def _named(known: Sequence[str] | None, count: int) -> list[str]:
    return list(known) if known and len(known) == count else [f"class {n}" for n in range(count)]

"""`mgsweep trials`: the trials of a sweep as rows that can be filtered, sorted and cut."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from mgsweep.best import score
from mgsweep.errors import InvalidInput, did_you_mean
from mgsweep.labels import label, shared
from mgsweep.plan.arguments import check_words, said
from mgsweep.plan.axes import AXES
from mgsweep.screen import duration, percent
from mgsweep.store import Store
from mgsweep.store.states import STATES, look
from mgsweep.trial import CONFIG, normalise

Cells = dict[str, Any]

SCORES = ("f1", "accuracy", "worst_group_accuracy", "epg", "on_object_epg", "iou", "mean_ap")
COLUMNS = ("id", "state", "trial", *CONFIG, "epoch", "best_epoch", *SCORES, "seconds", "attempts", "cause")
SHORT = ("id", "state", "trial", "epoch", "f1", "accuracy", "epg")
"""What is shown unless `--columns` says otherwise; of the accuracies only where there are any."""

ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def by_trial(store: Store) -> list[Cells]:
    """One row for each planned trial, as data: state, configuration, progress, and the scores of its best epoch.

    The best epoch is the one that children start from (`mgsweep.best`); attribution scores are of the trial's own
    probe there. Shares in [0, 1], seconds; None where there is nothing to tell.
    """
    seen, attempts = look(store), store.attempts()
    best, taken = _best(store), {row["id"]: row["seconds"] for row in store.timings()}
    trials, rows = list(store.planned()), []
    known = shared(trials)
    for trial in trials:
        scores, progress = best.get(trial.id, {}), seen.progress.get(trial.id)
        failure = seen.failures.get(trial.id, {})
        rows.append(
            {
                "id": trial.id,
                "state": seen.states[trial.id],
                "trial": label(trial, known),
                **trial.to_row(),
                "epoch": trial.epochs if seen.states[trial.id] == "done" else progress.epoch if progress else 0,
                "best_epoch": scores.get("epoch"),
                **{key: scores.get(key) for key in SCORES},
                "seconds": progress.seconds if progress else taken.get(trial.id),
                "attempts": len(attempts.get(trial.id, ())),
                "cause": failure.get("cause"),
            }
        )
    return rows


_MEASURED = (
    "id", "split", "epoch", "probe_attribution", "probe_depth", "attribution", "depth", *SCORES,
)  # fmt: skip


def _best(store: Store) -> dict[str, Cells]:
    rows = store.select(_MEASURED, "val")
    for name in store.unfinished():
        rows += [row for row in store.so_far(name) if row["split"] == "val"]
    best: dict[str, Cells] = {}
    for row in rows:
        if row["id"] not in best or _rank(row) > _rank(best[row["id"]]):
            best[row["id"]] = row
    return best


def _rank(row: Cells) -> tuple[float, int, bool]:
    """The highest score, of equal ones the earliest epoch; of its rows that of the trial's own probe."""
    own = (row["probe_attribution"], row["probe_depth"]) == (row["attribution"], row["depth"])
    reached = score(row)
    return (-1.0 if reached is None else reached, -row["epoch"], own)


def choose(rows: Iterable[Cells], filters: Iterable[str], sort: str | None, columns: str | None) -> list[Cells]:
    """The rows that meet every filter, sorted, with some columns.

    Args:
        filters: `key=value,value` (one of them), or `key>number` with >, >=, < or <=; a row without a value meets none.
        sort: a column; with a minus before it the largest first. Rows without a value come last.
        columns: names with commas between; None for all.

    Raises:
        InvalidInput: a column or name that there is not, or a filter that is none.
    """
    rows = list(rows)
    tests = [_test(text, rows) for text in filters]
    names = columns.split(",") if columns else list(COLUMNS)
    for name in names:
        _check(name, "--columns")
    chosen = [row for row in rows if all(test(row) for test in tests)]
    if sort:
        key = sort.removeprefix("-")
        _check(key, "--sort")
        with_value = [row for row in chosen if row[key] is not None]
        with_value.sort(key=operator.itemgetter(key), reverse=sort.startswith("-"))
        chosen = with_value + [row for row in chosen if row[key] is None]
    return [{name: row[name] for name in names} for row in chosen]


def _check(name: str, option: str) -> None:
    if name not in COLUMNS:
        raise InvalidInput.of(f"unknown column {name!r}{did_you_mean(name, COLUMNS)}", where=option)


def _test(text: str, rows: Iterable[Cells]) -> Callable[[Cells], bool]:
    sign = next((sign for sign in (*ORDERED, "=") if sign in text), None)
    key, _, value = text.partition(sign or "=")
    if not (sign and key and value):
        raise InvalidInput.of(f"expected key=value,value or key>number (>, >=, <, <=), got {text!r}", where="--filter")
    _check(key, "--filter")
    if sign == "=":
        wanted = value.split(",")
        if key in AXES:
            check_words(key, wanted, (name for row in rows for name in (row[key], said(key, row[key]))), "--filter")
        if key == "state" and (unknown := next((word for word in wanted if word not in STATES), None)):
            raise InvalidInput.of(f"unknown state {unknown!r}{did_you_mean(unknown, STATES)}", where="--filter")
        return lambda row: any(_equal(row[key], word) or said(key, row[key]) == word for word in wanted)
    compare, number = ORDERED[sign], _number(value)
    if number is None:
        raise InvalidInput.of(f"expected a number after {sign}, got {value!r}", where="--filter")
    if key in SCORES and number > 1:
        raise InvalidInput.of(f"{key} lies in [0, 1], got {value}; in percent it is only shown", where="--filter")
    return lambda row: isinstance(row[key], int | float) and compare(row[key], number)


def _equal(value: Any, word: str) -> bool:
    if isinstance(value, int | float):
        return _number(word) == value
    return value is not None and (str(value) == word or value == normalise(word))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def readable(rows: Iterable[Cells]) -> list[Cells]:
    """The same for the eye: scores in percent, times as a clock would say them, no column of accuracies without any."""
    rows = list(rows)
    empty = {key for key in ("accuracy", "worst_group_accuracy") if all(row.get(key) is None for row in rows)}
    rows = [{key: value for key, value in row.items() if key not in empty} for row in rows]
    return [{_heading(key): _readable(key, value) for key, value in row.items()} for row in rows]


def _heading(key: str) -> str:
    return {"f1": "F1", "epg": "EPG", "iou": "IoU", "mean_ap": "mAP", "seconds": "time"}.get(key, key)


def _readable(key: str, value: Any) -> Any:
    if key in SCORES:
        return percent(value)
    if isinstance(value, float):
        return duration(value) if key == "seconds" else f"{value:g}"
    return value

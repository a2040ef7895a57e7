"""The command that trains one trial again, and nothing else but the baseline it starts from."""

from __future__ import annotations

import shlex
from typing import Any

import pandas as pd

from analysis.report.frames import AXES


def commands(trials: pd.DataFrame, run: str) -> list[str]:
    """A command line for each trial, ready for a shell.

    Args:
        trials: one row per trial, with CONFIG.
        run: how the sweep is run, as in `mgsweep run FILE`.

    Each names the fields that tell the trial from others of its kind, as in `--only model=bcos --only loss=energy`.
    """
    lines: dict[Any, str] = {}
    for baseline, kind in trials.groupby(trials["loss"] == "none"):
        differing = [key for key in AXES if kind[key].nunique(dropna=False) > 1]
        named = list(dict.fromkeys(["loss", *differing])) if baseline else differing
        for place, values in zip(kind.index, kind[named].itertuples(index=False, name=None), strict=True):
            given = [f"{key}={value}" for key, value in zip(named, values, strict=True) if not pd.isna(value)]
            lines[place] = " ".join([run, *(f"--only {shlex.quote(words)}" for words in given)])
    return [lines[place] for place in trials.index]

"""Importances against least squares with a column for each level, and where there is nothing to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from importance import MOST_LEVELS, importance


def trials(count: int = 200) -> pd.DataFrame:
    """A score that a name decides most, a number some, and another number not at all."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "loss": generator.choice(["energy", "l1", "rrr"], count),
            "lambda_loc": 10 ** generator.uniform(-4, -1, count),
            "seed": generator.integers(0, 1000, count),
        }
    )
    score = frame["loss"].map({"energy": 0.3, "l1": 0.1, "rrr": 0.0}) + 0.05 * np.log10(frame["lambda_loc"])
    return frame.assign(score=score + generator.normal(0, 0.02, count))


def by_least_squares(values: np.ndarray, levels: np.ndarray) -> float:
    """Adjusted R² of a fit with one column for each level."""
    columns = (levels[:, None] == np.unique(levels)).astype(float)
    fitted = columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    n, k = columns.shape
    return 1 - ((values - fitted) ** 2).sum() / (n - k) / (values.var(ddof=0) * n / (n - 1))


def test_shares_are_those_of_least_squares() -> None:
    frame = trials()
    found = {axis: importance(frame["score"], frame[axis]) for axis in ("loss", "lambda_loc", "seed")}
    values = frame["score"].to_numpy()
    edges = np.quantile(frame["lambda_loc"], np.linspace(0, 1, MOST_LEVELS + 1)[1:-1])
    assert found["loss"] == pytest.approx(by_least_squares(values, frame["loss"].to_numpy()), abs=1e-9)
    grouped = np.searchsorted(edges, frame["lambda_loc"].to_numpy())
    assert found["lambda_loc"] == pytest.approx(by_least_squares(values, grouped), abs=1e-9)
    assert found["loss"] > 0.7 > found["lambda_loc"] > 0.05 > found["seed"] >= 0


def test_what_decides_all_has_all() -> None:
    assert importance(pd.Series([1.0, 1.0, 2.0, 2.0]), pd.Series(["a", "a", "b", "b"])) == 1


def test_rows_that_lack_either_do_not_count() -> None:
    frame = trials()
    holes = frame.assign(score=frame["score"].mask(frame.index % 3 == 0), loss=frame["loss"].mask(frame.index % 3 == 1))
    assert importance(holes["score"], holes["loss"]) == importance(
        *(frame.loc[frame.index % 3 == 2, name] for name in ("score", "loss"))
    )


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        ([], []),
        ([0.5], ["a"]),
        ([0.5, 0.6, 0.7], ["a", "a", "a"]),  # one level
        ([0.5, 0.6, 0.7], ["a", "b", "c"]),  # a level for every trial
        ([0.5, 0.5, 0.5], ["a", "a", "b"]),  # nothing to account for
        ([float("nan")] * 3, ["a", "a", "b"]),
    ],
)
def test_where_there_is_nothing_to_tell_it_is_nan(values: list[float], axis: list[str]) -> None:
    assert np.isnan(importance(pd.Series(values, dtype=float), pd.Series(axis, dtype=object)))

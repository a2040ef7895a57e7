"""The report of 10,000 trials in a real browser: nothing is left out, the file stays small."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import synthetic
from playwright.sync_api import expect
from reading import Reader, left_by
from stored import hung, results

from analysis.selection import measurements


def test_ten_thousand_trials(reader: Reader) -> None:
    rows = many()
    page = reader.open(results(rows, pictures=hung(rows.head(500), side=96)))  # noise compresses least
    expect(page.locator("#shown")).to_have_text("10,002 runs")
    assert page.locator("#table .body .row").count() < 60
    page.get_by_role("button", name="RRR*", exact=True).click()
    expect(page.locator("#shown")).to_have_text("2,502 of 10,002 runs")
    page.locator("#table").evaluate("(table) => (table.scrollTop = 1e9)")
    expect(page.locator("#table .body .row").last).to_have_attribute("aria-rowindex", "2503")
    assert len(left_by(page)) == 2502
    dots = page.evaluate("document.getElementById('slices').data.map(({ trials, x }) => (trials ?? x).length)")
    assert max(dots) <= 600
    page.evaluate("mg.select(0)")
    expect(page.locator(".map-grid img").first).to_be_attached()
    assert reader.file.stat().st_size < 10e6


def many() -> pd.DataFrame:
    """10,000 guided trials of one epoch: 2 models x 4 losses x 5 lambdas x 250 seeds."""
    trials = pd.DataFrame(
        list(product(["vanilla", "bcos"], ["energy", "l1", "ppce", "rrr"], [1e-4, 5e-4, 1e-3, 5e-3, 1e-2], range(250))),
        columns=["model", "loss", "lambda_loc", "seed"],
    )
    trials = trials.assign(id=[f"{number:012x}" for number in trials.index], parent="base-" + trials["model"])
    bases = pd.DataFrame({"id": ["base-vanilla", "base-bcos"], "model": ["vanilla", "bcos"], "loss": "none"})
    place = {"dataset": "voc2007", "epoch": 1, "probe_attribution": "ixg", "probe_depth": "input"}
    both = pd.concat([bases, trials.assign(attribution="ixg", depth="input")], ignore_index=True).assign(**place)
    generator = np.random.default_rng(0)
    f1, epg = generator.normal([0.8, 0.5], 0.02, (len(both), 2)).T
    rows = pd.concat([both.assign(split=split, f1=f1, epg=epg) for split in ("val", "test")], ignore_index=True)
    missing = {key: value for key, value in synthetic.DEFAULTS.items() if key not in rows}
    return rows.assign(**missing).fillna({"lambda_loc": 0.0, "seed": 0})


def test_many_are_many() -> None:
    assert len(measurements(many(), guided=True, how="inner")) == 10_000

"""Findings R1, R2, R5, R7 and R8 of the paper, asked again on real photographs with a pretrained network.

    MGSWEEP_DATA=/data python benchmarks/findings.py      with /data/waterbirds, or a part of it

Runs findings.yaml (what is stored already is not run again), compares paired seeds on the test split, and prints for
each finding the mean difference, its 95 % interval (Student's t) and whether it holds. Checkpoints are chosen on
validation: over lambdas and epochs the best of the metric that lose at most `LOSS` of accuracy to their baseline.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.selection import measurements
from mgsweep.store import Store

SWEEP = Path(__file__).with_suffix(".yaml")
LOSS = 0.05
"""Accuracy that guidance may cost on validation."""
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365}
"""97.5 % quantile of Student's t by degrees of freedom."""


class Finding(NamedTuple):
    """A sentence of the paper, and by seed a number that it says is above zero."""

    name: str
    text: str
    measured: str
    differences: pd.Series


def main() -> None:
    """Run, judge, print."""
    store = Path("results")
    done = subprocess.run([sys.executable, "-m", "mgsweep", "run", str(SWEEP), "--store", str(store)], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    for finding in findings(Store(store / "findings").frame()):
        finding = finding._replace(differences=finding.differences.dropna())  # a seed may lack one of the two
        mean, half = interval(finding.differences)
        verdict = "holds" if mean - half > 0 else "contradicted" if mean + half < 0 else "not decided"
        print(f"{finding.name}  {finding.text}\n    {finding.measured}: {100 * mean:+.1f} ± {100 * half:.1f} points")
        print(f"    {verdict} (n = {len(finding.differences)} seeds)")


def interval(differences: pd.Series) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval."""
    count = len(differences)
    return float(differences.mean()), STUDENT[count - 1] * float(differences.std(ddof=1)) / math.sqrt(count)


def findings(frame: pd.DataFrame) -> Iterator[Finding]:
    """What each finding comes to on these records."""
    rows = measurements(frame, guided=True, how="inner")
    start = baseline(frame)
    plain = rows[(rows.bbox_fraction == 1) & (rows.bbox_dilation == 0)]
    epg = {loss: chosen(plain[plain.loss == loss], start, "epg") for loss in ("energy", "l1", "ppce", "rrr")}
    iou = {loss: chosen(plain[plain.loss == loss], start, "iou") for loss in epg}
    gain = epg["energy"]["epg"] - start["epg"]
    rival = pd.concat([epg[loss]["epg"] for loss in ("l1", "ppce", "rrr")], axis=1).max(axis=1)
    yield Finding("R1", "Energy gives the best EPG.", "EPG, Energy less the best other", epg["energy"]["epg"] - rival)
    rival = pd.concat([iou[loss]["iou"] for loss in ("energy", "ppce", "rrr")], axis=1).max(axis=1)
    yield Finding("R2", "L1 gives the best IoU.", "IoU, L1 less the best other", iou["l1"]["iou"] - rival)
    yield Finding("R5", "Guidance at the final layer raises EPG ...", "EPG, Energy less the baseline", gain)
    cost = epg["energy"]["accuracy"] - start["accuracy"] + 0.02
    yield Finding("R5", "... at little cost.", "accuracy less the baseline's, + 2", cost)
    few = chosen(rows[rows.bbox_fraction < 1], start, "epg")["epg"] - start["epg"]
    yield Finding("R7", "Few boxes suffice.", "EPG gain of 10 % of the boxes less half the gain of all", few - gain / 2)
    same = plain[plain.lambda_loc == 0.05]
    loose = rows[rows.bbox_dilation > 0]
    lost = {
        loss: chosen(same[same.loss == loss], start, "epg")["epg"]
        - chosen(loose[loose.loss == loss], start, "epg")["epg"]
        for loss in ("energy", "l1")
    }
    text = "Energy bears dilated boxes better than L1."
    yield Finding("R8", text, "EPG that L1 loses by 50 % dilation less what Energy loses", lost["l1"] - lost["energy"])


def baseline(frame: pd.DataFrame) -> pd.DataFrame:
    """EPG, IoU and accuracy of the unguided networks by seed, and their accuracy on validation."""
    rows = measurements(frame, guided=False, how="inner")
    return rows.set_index("seed")[["epg", "iou", "accuracy", "accuracy_val"]]


def chosen(rows: pd.DataFrame, start: pd.DataFrame, metric: str) -> pd.DataFrame:
    """By seed, the test values of the checkpoint that is best by `metric` on validation at little cost of accuracy."""
    affordable = rows[rows["accuracy_val"] >= rows["seed"].map(start["accuracy_val"]) - LOSS]
    best = affordable.sort_values(f"{metric}_val", ascending=False, kind="stable").groupby("seed").head(1)
    return best.set_index("seed").sort_index()


if __name__ == "__main__":
    main()

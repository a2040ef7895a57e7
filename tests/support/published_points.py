"""Which published results `--reference` shows, chosen from a table of all that were found.

    python tests/support/published_points.py repro_results.csv > analysis/published.csv

Taken are test results of the losses and data sets of the paper: every number of its text that has both coordinates, and
the baselines and fronts of the reproductions. Left out are other losses, segmentation masks, shares of boxes the paper
does not have, fronts by other metrics or bins, what a front does not hold, and repeated files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

HEADER = """\
# Published test results of model guidance, in this project's names, fractions in [0, 1].
# paper: Rao et al., "Studying How to Efficiently and Effectively Guide Models with Explanations", ICCV 2023
#   (arXiv 2303.11932), Section 5: the best EPG of Energy at Input and its F1, as printed.
# fact: github.com/rensdebee/FACTifAI_2024_3, stored results on VOC 2007; fronts taken on test in bins of 0.005.
# tmlr: github.com/ryan-ott/model-guidance-reproducibility, result_jsons; fronts taken on validation.
# front: the metric that a point is on the front of against F1; both for fronts of three metrics and for baselines.
# Made by tests/support/published_points.py.
"""
COLUMNS = ["source", "dataset", "model", "attribution", "depth", "loss", "bbox_fraction", "bbox_dilation", "front"]
VALUES = ["f1", "epg", "iou"]
SOURCES = {"rao2023_R4": "paper", "fact3_repro": "fact", "tmlr_repro": "tmlr"}
FRONTS = {
    "best EPG quoted in text": "epg",
    "baseline": "both",
    "pareto": "both",
    "pareto_EPG_bin0.005": "epg",
    "pareto_IOU_bin0.005": "iou",
}
LOSSES = {"Energy": "energy", "L1": "l1", "PPCE": "ppce", "RRR": "rrr", "RRR*": "rrr", "none": "none"}
ATTRIBUTIONS = {"vanilla": "ixg", "xdnn": "intgrad", "bcos": "bcos"}


def chosen(found: Path) -> pd.DataFrame:
    """COLUMNS and VALUES of the rows to show, sorted."""
    rows = pd.read_csv(found)
    taken = (rows["split"] == "test") & rows["source"].isin(SOURCES) & rows["role"].isin(FRONTS)
    taken &= rows["loss"].isin(LOSSES) & rows["fraction"].isin([0.01, 0.1, 1.0])
    # One of its folders holds the usual runs, one those with few boxes, one the dilated.
    studies = rows["file"].str.extract("(p_c_ann|p_c_dil)")[0]
    taken &= ~((studies == "p_c_ann") & (rows["fraction"] == 1)) & ~((studies == "p_c_dil") & (rows["dilation"] == 0))
    rows = rows[taken]
    rows = rows.assign(
        source=rows["source"].map(SOURCES),
        dataset=rows["dataset"].str.lower(),
        attribution=rows["model"].map(ATTRIBUTIONS),
        depth=rows["layer"].str.lower(),
        loss=rows["loss"].map(LOSSES),
        front=rows["role"].map(FRONTS),
        bbox_fraction=rows["fraction"],
        bbox_dilation=rows["dilation"],
    )
    rows = rows[COLUMNS + VALUES].round(4).drop_duplicates()
    return rows.sort_values(COLUMNS + VALUES, ignore_index=True)


if __name__ == "__main__":
    sys.stdout.write(HEADER + chosen(Path(sys.argv[1])).to_csv(index=False))

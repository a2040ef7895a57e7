"""The published points that come with the package: chosen by a script, and equal to what the sources print."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import published_points
import pytest

from analysis import published

FOUND = Path(__file__).parents[3] / "shared" / "reference" / "repro_results.csv"


@pytest.mark.skipif(not FOUND.exists(), reason="the table of all published results is not part of the project")
def test_they_are_what_the_script_chooses() -> None:
    text = published_points.HEADER + published_points.chosen(FOUND).to_csv(index=False)
    assert published.FILE.read_text() == text


def test_they_are_numbers_in_this_projects_names() -> None:
    points = published.points()
    assert set(points["source"]) == set(published.CITED)
    assert set(points["dataset"]) == {"voc2007", "coco2014"}
    assert set(points["front"]) == {"epg", "iou", "both"}
    assert points[["f1", "epg"]].notna().all(axis=None)
    assert (points[["f1", "epg", "iou"]].fillna(0).apply(lambda column: column.between(0, 1))).all(axis=None)
    assert not points.duplicated().any()


# F1/EPG, percent, as the sources print them.
PRINTED = {
    ("paper", "bcos", "input", "energy"): {"79.4/71.7"},
    ("paper", "vanilla", "input", "energy"): {"69.0/55.8"},
    ("paper", "xdnn", "input", "energy"): {"68.9/62.3"},
    ("fact", "vanilla", "final", "l1"): {"79.9/65.5", "80.4/64.4"},
    ("fact", "bcos", "mid2", "energy"): {"75.5/76.9", "78.1/71.6", "80.4/59.4"},
    ("fact", "bcos", "input", "none"): {"80.2/47.0"},
    ("tmlr", "xdnn", "final", "energy"): {"67.0/44.4", "65.6/47.2"},
    ("tmlr", "bcos", "input", "none"): {"81.0/55.6", "70.2/30.1"},
}


@pytest.mark.parametrize("key", PRINTED, ids="-".join)
def test_they_are_what_the_sources_print(key: tuple[str, ...]) -> None:
    points = published.points().set_index(["source", "model", "depth", "loss"]).sort_index().loc[[key]]
    shown = {f"{100 * f1:.1f}/{100 * epg:.1f}" for f1, epg in points[["f1", "epg"]].to_numpy()}
    assert PRINTED[key] <= shown


def test_the_file_cites_its_sources() -> None:
    head = [line for line in io.StringIO(published.FILE.read_text()) if line.startswith("#")]
    assert {"# paper", "# fact", "# tmlr"} <= {line.partition(":")[0] for line in head}
    assert isinstance(pd.read_csv(published.FILE, comment="#"), pd.DataFrame)

"""EPG and IoU against F1: the numbers and the words of a figure with a panel for each model and depth."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from synthetic import LOSSES, small, store

from analysis import published
from analysis.attainment import attained
from analysis.figures import backbones, epg_f1, iou_f1, limited_boxes, looks, save, style
from analysis.pareto import front
from mgsweep.errors import UnknownName


def texts(figure: Figure) -> str:
    """All that is written in a figure."""
    written = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return " | ".join(filter(None, written))


def note(figure: Figure, dataset: str = "VOC 2007, ResNet-50") -> str:
    """What stands under a figure beside the sentences that are always there."""
    always, _, rest = figure.get_supxlabel().replace("\n", " ").partition(" validation.")
    assert always == f"{dataset}: test results of the fronts chosen on"
    return rest.replace("Green: better than the baseline in both, grey: worse in both.", "").replace("  ", " ").strip()


def test_plots_the_validation_front_with_test_values() -> None:
    frame = store()
    shown = epg_f1.data(frame)
    trials = frame[(frame["model"] == "bcos") & (frame["depth"] == "final") & (frame["loss"] == "l1")]
    val = trials[trials["split"] == "val"].reset_index(drop=True)
    test = trials[trials["split"] == "test"].reset_index(drop=True)
    members = front(val[["f1", "epg"]])
    points = shown[(shown["model"] == "bcos") & (shown["depth"] == "final") & (shown["loss"] == "l1")]
    assert sorted(points[["f1", "epg", "f1_val", "epg_val"]].values.tolist()) == sorted(
        np.column_stack([test.loc[members, ["f1", "epg"]], val.loc[members, ["f1", "epg"]]]).tolist()
    )


def test_panels() -> None:
    figure = epg_f1.draw(epg_f1.data(store()))
    axes = np.reshape(figure.axes, (2, 2))
    assert [ax.get_title() for ax in axes[0]] == ["Vanilla (IxG)", "B-cos"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["Input\nEPG (%) ↑", "Final\nEPG (%) ↑"]
    assert {ax.get_xlabel() for ax in axes[-1]} == {"F1 (%) ↑"}
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes.flat}) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Baseline", "Energy", "L1", "PPCE", "RRR*"]
    assert note(figure) == ""


def test_sizes_are_the_venues() -> None:
    full = epg_f1.draw(epg_f1.data(store()))
    one = epg_f1.draw(epg_f1.data(store().query("model == 'bcos' and (depth == 'input' or probe_depth == 'input')")))
    assert full.get_figwidth() * 72.27 == pytest.approx(496.856)
    assert one.get_figwidth() * 72.27 == pytest.approx(237.136)


def test_draws_a_loss_that_style_does_not_know() -> None:
    figure = epg_f1.draw(epg_f1.data(store((*LOSSES, "zeta", "alpha"))))
    handles = figure.legends[0].legend_handles
    assert [handle.get_label() for handle in handles][-2:] == ["alpha", "zeta"]
    looks = [(handle.get_color(), handle.get_marker()) for handle in handles[1:]]
    assert looks == [(mark.color, mark.marker) for mark in (*style.MARKS.values(), *style.FURTHER[:2])]


def test_more_losses_than_marks() -> None:
    names = [f"loss{number:02}" for number in range(len(style.FURTHER) + 1)]
    assert style.marks(names)[names[-1]] == style.FURTHER[0]


def test_several_seeds_are_a_median_line_in_a_band() -> None:
    shown = epg_f1.data(pd.concat([store(), store(seed=1), store(seed=2)]))
    figure = epg_f1.draw(shown)
    axes = figure.axes[0]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert len(dashed) == len(LOSSES)
    assert len([patch for patch in axes.patches if isinstance(patch, Polygon)]) == len(LOSSES)
    energy = shown.query("model == 'vanilla' and depth == 'input' and loss == 'energy'")
    fronts = [front[["f1", "epg"]] for _, front in energy.groupby("seed")]
    corners = {tuple(corner) for corner in attained(fronts, 0.5).tolist()}
    assert corners < set(zip(*dashed[0].get_data(), strict=True))
    assert (
        note(figure)
        == "3 seeds: the lines border what half of them attain, the bands what any and what every seed attains."
    )


def test_published_points_lie_hollow_behind_and_change_nothing_else() -> None:
    ours = epg_f1.data(store())
    data = published.beside(ours)
    pd.testing.assert_frame_equal(published.apart(data)[0].drop(columns="source"), ours, check_dtype=False)
    theirs = published.apart(data)[1]
    assert set(theirs["source"]) == {"paper", "fact", "tmlr"}
    quoted = theirs[(theirs["source"] == "paper") & (theirs["model"] == "bcos")]
    assert quoted[["loss", "depth", "f1", "epg"]].values.tolist() == [["energy", "input", 0.794, 0.717]]
    figure = epg_f1.draw(data)
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    shown = theirs[(theirs["model"] == "vanilla") & (theirs["depth"] == "input") & (theirs["loss"] != "none")]
    assert sum(len(line.get_xdata()) for line in hollow) == len(shown)
    assert "Hollow: published by Rao et al. (ICCV 2023), " in note(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "published"
    assert drawn(figure) == drawn(epg_f1.draw(ours))


def drawn(figure: Figure) -> list[list[float]]:
    """F1 of the points of each loss in the first panel, published ones left out."""
    full = [line for line in figure.axes[0].lines if line.get_marker() in "ovpD" and len(line.get_xdata())]
    return [line.get_xdata().tolist() for line in full if line.get_markerfacecolor() != "none"]


def test_published_points_of_few_boxes_stay_with_them() -> None:
    frame = small().replace({"backbone": {"resnet10": "resnet50"}})
    data = published.beside(limited_boxes.data(frame))
    theirs = published.apart(data)[1].query("loss != 'none'")
    assert set(theirs["bbox_fraction"]) == {0.01, 1.0}


@pytest.mark.parametrize("venue", looks.VENUES)
def test_every_venue_has_its_width(venue: str) -> None:
    data = epg_f1.data(store(("energy",)))
    one = data.query("model == 'bcos' and depth == 'input'")
    with looks.using(looks.Look(venue)):
        assert epg_f1.draw(data).get_figwidth() == looks.VENUES[venue].full
        assert epg_f1.draw(one).get_figwidth() == looks.VENUES[venue].column
    assert epg_f1.draw(one).get_figwidth() == looks.VENUES["cvpr"].column


def test_the_style_of_the_paper_has_its_colours() -> None:
    with looks.using(looks.Look(style="paper")):
        figure = epg_f1.draw(epg_f1.data(store()))
    handles = figure.legends[0].legend_handles
    assert [handle.get_color() for handle in handles[1:]] == ["#ED3E63", "#39D095", "#FECB5B", "#187FA8"]


def test_a_look_that_is_not_there_is_guessed(tmp_path: Path) -> None:
    for look, guess in ((looks.Look("nips"), "neurips"), (looks.Look(style="papers"), "paper")):
        with pytest.raises(UnknownName, match=f"did you mean '{guess}'"):
            save("epg-f1", store(), tmp_path, look)


def test_names_what_is_missing() -> None:
    frame = store()
    lost = (frame["model"] == "vanilla") & (frame["depth"] == "input") & frame["loss"].isin(["l1", "ppce"])
    gone = (frame["model"] == "bcos") & (frame["depth"] == "final")
    figure = epg_f1.draw(epg_f1.data(frame[~lost & ~gone]))
    assert note(figure) == "No result: Vanilla (IxG) at Input (L1, PPCE); B-cos at Final (all)."
    assert "no result" in texts(figure)


def test_without_baselines_says_so() -> None:
    figure = epg_f1.draw(epg_f1.data(store().query("loss != 'none' and model == 'bcos'")))
    assert note(figure) == "No result: B-cos at Input (Baseline); B-cos at Final (Baseline)."


def test_of_a_single_point() -> None:
    frame = store(("energy",)).query("lambda_loc == 0.01 and epoch == 1 and model == 'bcos' and depth == 'input'")
    assert len(epg_f1.data(frame)) == 1
    assert epg_f1.draw(epg_f1.data(frame)).axes[0].get_title() == "B-cos"


def test_counts_points_that_lose_too_much_f1() -> None:
    frame = store()
    frame.loc[(frame["loss"] == "rrr") & (frame["lambda_loc"] == 0.01), "f1"] -= 0.4
    frame.loc[(frame["loss"] == "rrr") & (frame["lambda_loc"] == 0.01), "epg"] += 0.1
    shown = epg_f1.data(frame)
    figure = epg_f1.draw(shown)
    outside = (shown["f1"] < 0.5).sum()
    assert outside > 0
    assert note(figure) == f"Points left of the axes: {outside} of RRR*."
    assert figure.axes[0].get_xlim()[0] > 0.67


def test_leaves_other_experiments_to_other_figures() -> None:
    other = store(bbox_fraction=0.1).replace({"id": "voc"}, "few", regex=True)
    pd.testing.assert_frame_equal(epg_f1.data(pd.concat([store(), other])), epg_f1.data(store()))


def test_backbones_have_pages_of_their_own_and_a_figure_beside_each_other() -> None:
    other = store(backbone="vit_s").replace({"id": "voc", "parent": "voc"}, "vit", regex=True)
    frame = pd.concat([store(), other])
    assert epg_f1.data(frame).groupby([*epg_f1.PAGE]).ngroups == 2
    data = backbones.data(frame)
    figure = backbones.draw(data[data["model"] == "bcos"])
    assert [ax.get_title() for ax in figure.axes[:2]] == ["B-cos ResNet-50", "B-cos vit_s"]
    assert note(figure, "VOC 2007") == ""
    assert backbones.data(store()).empty


def test_iou_f1_differs_in_the_metric_alone() -> None:
    frame = store()
    swapped = frame.assign(epg=frame["iou"], iou=frame["epg"])
    renamed = epg_f1.data(swapped).rename(columns={"epg": "iou", "epg_val": "iou_val"})
    pd.testing.assert_frame_equal(iou_f1.data(frame), renamed)
    figure = iou_f1.draw(iou_f1.data(frame))
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["Input\nIoU (%) ↑", "Final\nIoU (%) ↑"]

"""EPG and IoU against F1: the numbers and the words of a figure with a panel for each model and depth."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from synthetic import LOSSES, store

from analysis.figures import epg_f1, iou_f1, style
from analysis.pareto import front


def texts(figure: Figure) -> str:
    """All that is written in a figure."""
    written = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return " | ".join(filter(None, written))


def note(figure: Figure, dataset: str = "VOC 2007") -> str:
    """What stands under a figure after the sentence that is always there."""
    always, _, rest = figure.get_supxlabel().replace("\n", " ").partition(" validation.")
    assert always == f"{dataset}: test results of the fronts chosen on"
    return rest.strip()


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
    assert looks == [*style.MARKS.values(), *style.FURTHER[:2]]


def test_more_losses_than_marks() -> None:
    names = [f"loss{number:02}" for number in range(len(style.FURTHER) + 1)]
    assert style.marks(names)[names[-1]] == style.FURTHER[0]


def test_draws_a_front_for_each_seed() -> None:
    shown = epg_f1.data(pd.concat([store(), store(seed=1), store(seed=2)]))
    figure = epg_f1.draw(shown)
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert len(dashed) == len(LOSSES) * 3
    assert "3 seeds" in note(figure)


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


def test_tells_backbones_apart() -> None:
    other = store(backbone="vit_s").replace({"id": "voc", "parent": "voc"}, "vit", regex=True)
    figure = epg_f1.draw(epg_f1.data(pd.concat([store(), other])))
    titles = [ax.get_title() for ax in figure.axes[:4]]
    assert titles == ["Vanilla ResNet-50 (IxG)", "Vanilla vit_s (IxG)", "B-cos ResNet-50", "B-cos vit_s"]


def test_iou_f1_differs_in_the_metric_alone() -> None:
    frame = store()
    swapped = frame.assign(epg=frame["iou"], iou=frame["epg"])
    renamed = epg_f1.data(swapped).rename(columns={"epg": "iou", "epg_val": "iou_val"})
    pd.testing.assert_frame_equal(iou_f1.data(frame), renamed)
    figure = iou_f1.draw(iou_f1.data(frame))
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["Input\nIoU (%) ↑", "Final\nIoU (%) ↑"]

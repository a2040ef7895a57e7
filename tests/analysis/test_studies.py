"""What the figures of single studies show, on a store small enough to reckon by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from synthetic import LAMBDAS, LOSSES, grouped, rich, small, store

from analysis.figures import (
    checkpoints,
    cost_gain,
    curves,
    depths,
    dilation,
    lambdas,
    limited_boxes,
    masks,
    search,
    style,
    tradeoff,
)


def drawn(axes: Axes) -> list[tuple[str, int]]:
    """Marker and number of points of each set of points in a panel."""
    return [(line.get_marker(), len(line.get_xdata())) for line in axes.lines if line.get_linestyle() == "None"]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_checkpoints_show_every_epoch_and_the_front() -> None:
    data = checkpoints.data(small()).query("depth == 'input'")
    figure = checkpoints.draw(data)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["Energy", "L1"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["EPG (%) ↑", "IoU (%) ↑"]
    epochs = 2 * 3  # of two lambdas
    members = data.query("metric == 'epg' and loss == 'l1' and on_front")
    assert drawn(figure.axes[1]) == [("X", 1), (style.MARKS["l1"].marker, len(members)), (".", epochs)]
    assert 0 < len(members) < epochs


def test_checkpoints_take_each_metrics_own_front() -> None:
    frame = small()
    last = (frame["id"] == "energy-0.005-input") & (frame["epoch"] == 3)
    frame.loc[last, "iou"] = 0.0
    on_front = checkpoints.data(frame).query("on_front and id == 'energy-0.005-input' and epoch == 3")
    assert on_front["metric"].tolist() == ["epg"]


def test_checkpoints_that_were_not_kept_are_not_on_the_front() -> None:
    frame = small()
    lost = (frame["id"] == "energy-0.005-input") & (frame["epoch"] == 3) & (frame["split"] == "test")
    shown = checkpoints.data(frame[~lost]).query("id == 'energy-0.005-input' and epoch == 3")
    assert len(shown) == 2
    assert not shown["on_front"].any()


def test_dilation_is_an_ordered_colour_in_every_panel() -> None:
    data = dilation.data(small())
    figure = dilation.draw(data)
    assert legend(figure) == ["Baseline", "0 % dilation", "10 % dilation", "50 % dilation"]
    shades = [mark.color for mark in style.shades([0, 0.1, 0.5]).values()]
    for axes in figure.axes:
        assert [line.get_color() for line in axes.lines if line.get_linestyle() == "--"] == shades
    lightness = [sum(int(shade[i : i + 2], 16) for i in (1, 3, 5)) for shade in shades]
    assert lightness == sorted(lightness)


def test_dilation_leaves_out_losses_and_depths_without_dilated_boxes() -> None:
    others = store().replace({"voc2007-bcos-0": "base"}).assign(model="bcos")
    data = dilation.data(pd.concat([small(), others]))
    assert set(data["loss"]) == {"none", "energy", "l1"}
    assert set(data["depth"]) == {"input"}


def test_masks_are_beside_boxes_of_as_few_images() -> None:
    data = masks.data(rich())
    assert set(data.query("loss == 'energy'")[["guidance_source", "bbox_fraction"]].itertuples(index=False)) == {
        ("box", 1.0),
        ("box", 0.01),
        ("mask", 1.0),
    }
    figure = masks.draw(data[data["backbone"] == "resnet50"])
    kinds = ["guided by boxes", "guided by boxes of 1 % of the images", "guided by masks"]
    assert legend(figure) == ["Baseline", *kinds]
    assert [count for marker, count in drawn(figure.axes[0]) if marker != "X"] == [6, 3, 3]
    assert masks.data(small()).empty


def test_limited_boxes_have_a_panel_for_each_share() -> None:
    figure = limited_boxes.draw(limited_boxes.data(small()))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["1 % of the images with boxes", "100 % of the images with boxes"]
    assert all(drawn(axes)[0] == ("X", 1) for axes in figure.axes)


def test_depths_are_measured_at_the_input() -> None:
    frame = small()
    data = depths.data(frame)
    test = frame.query("split == 'test' and probe_depth == 'input'").set_index(["id", "epoch"])["epg"]
    assert data["epg"].tolist() == [test[key] for key in zip(data["id"], data["epoch"], strict=True)]
    assert set(data["depth"]) == {"input", "mid2", "final"}
    figure = depths.draw(data)
    assert [axes.get_title() for axes in figure.axes] == ["trained at Mid2", "trained at Final"]
    assert legend(figure) == ["Baseline", "Energy", "L1", "trained at Input"]


def test_depths_tell_how_much_faster_an_epoch_was() -> None:
    data = depths.data(small())
    speed_up = data[data["loss"] != "none"].groupby("depth")["speed_up"].unique()
    assert {depth: list(values) for depth, values in speed_up.items()} == {
        "input": [1.0],
        "mid2": [pytest.approx(31 / 25)],  # the median of two odd epochs and an even one
        "final": [pytest.approx(31 / 16)],
    }
    figure = depths.draw(data)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["1.2× as fast", "1.9× as fast"]


@pytest.mark.parametrize("lacking", ["seconds", "device", "both"])
def test_depths_without_times_to_compare_tell_none(lacking: str) -> None:
    frame = small()
    deeper = frame["depth"].isin(["mid2", "final"])
    if lacking == "device":
        frame["device"] = frame["device"].mask(deeper, "another")
    else:
        frame["seconds"] = frame["seconds"].mask(deeper | (lacking == "both"))
    data = depths.data(frame)
    assert data.loc[data["depth"].isin(["mid2", "final"]), "speed_up"].isna().all()
    assert not [text for axes in depths.draw(data).axes for text in axes.texts]


def test_depths_without_training_at_the_input_have_no_reference() -> None:
    data = depths.data(small().query("loss == 'none' or depth != 'input'"))
    assert legend(depths.draw(data)) == ["Baseline", "Energy"]


def test_lambdas_show_each_trial_at_its_best_epoch() -> None:
    frame = store()
    data = lambdas.data(frame)
    val = frame.query("split == 'val' and loss != 'none'").set_index("id")
    best = {name: trial.loc[trial["f1"].idxmax(), "epoch"] for name, trial in val.reset_index().groupby("id")}
    guided = data[data["loss"] != "none"]
    assert dict(zip(guided["id"], guided["epoch"], strict=True)) == best
    figure = lambdas.draw(data[data["depth"] == "final"])
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert [list(line.get_xdata()) for line in lines] == [list(LAMBDAS)] * len(LOSSES)
    assert figure.axes[0].get_xscale() == "log"
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["EPG (%) ↑", "F1 (%) ↑"]


def test_lambdas_draw_a_line_for_each_seed() -> None:
    data = lambdas.data(pd.concat([store(), store(seed=1)]))
    figure = lambdas.draw(data[data["depth"] == "final"])
    assert sum(line.get_linestyle() == "-" for line in figure.axes[0].lines) == 2 * len(LOSSES)
    assert "2 seeds, a line for each." in figure.get_supxlabel()


def test_curves_are_a_line_a_trial() -> None:
    data = curves.data(store())
    figure = curves.draw(data[data["depth"] == "input"])
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert len(lines) == len(LOSSES) * len(LAMBDAS)
    assert {tuple(line.get_xdata()) for line in lines} == {(1, 2, 3, 4, 5, 6)}
    assert [line.get_color() for line in lines[:: len(LAMBDAS)]] == [style.MARKS[loss].color for loss in LOSSES]


def test_curves_count_what_falls_out_of_the_axes() -> None:
    frame = store()
    frame.loc[(frame["loss"] == "rrr") & (frame["lambda_loc"] == 0.01) & (frame["epoch"] == 6), "f1"] = 0.1
    data = curves.data(frame)
    figure = curves.draw(data[data["depth"] == "input"])
    assert "Points below the F1 axis: 2 of RRR*." in figure.get_supxlabel()
    assert figure.axes[-1].get_ylim()[0] > 0.6


def test_gains_of_several_seeds_are_points_and_no_means() -> None:
    frame = rich()
    other = frame.assign(seed=1, id="1-" + frame["id"], parent="1-" + frame["parent"])
    data = cost_gain.data(pd.concat([frame, other]))
    figure = cost_gain.draw(data)
    assert "2 seeds, a point for each." in figure.get_supxlabel()
    points = [line for axes in figure.axes for line in axes.lines if line.get_marker() in "osD^vP"]
    assert sum(len(line.get_xdata()) for line in points) == len(data) == 2 * len(cost_gain.data(frame))
    assert "seed" not in cost_gain.draw(cost_gain.data(frame)).get_supxlabel()


def test_the_area_of_a_search_is_said_to_be_of_what_is_outside_of_the_boxes_where_that_was_asked_for() -> None:
    data = search.data(grouped())
    notes = {name: " ".join(search.draw(page).get_supxlabel().split()) for name, page in data.groupby("dataset")}
    assert {
        name: "F1 and EPG, or 1 − EPG where guided outside of the boxes, covers" in note for name, note in notes.items()
    } == {"waterbirds": False, "waterbirds_reversed": True}
    assert "the front over F1 and EPG covers on validation" in notes["waterbirds"]


def test_a_point_in_two_rows_is_counted_once() -> None:
    frame = small()
    frame.loc[(frame["id"] == "l1-0.005-input") & (frame["epoch"] == 3), "f1"] = 0.1
    figure = checkpoints.draw(checkpoints.data(frame).query("depth == 'input'"))
    assert "Points left of the axes: 1 of L1." in figure.get_supxlabel()


def test_the_axes_of_f1_end_a_little_below_the_baseline() -> None:
    data = pd.DataFrame({"loss": ["none", "l1", "l1"], "f1": [0.8, 0.75, 0.1]})
    assert tradeoff.limits(data, "f1") == pytest.approx((0.693, 0.807))
    assert tradeoff.limits(data.query("loss == 'l1'"), "f1")[0] < 0.1

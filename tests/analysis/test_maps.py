"""Pictures of attributions: which models are shown, and what is drawn of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic import pictures

from analysis.figures import gallery, gallery_dilation, maps


def test_each_loss_shows_its_highest_epg_within_two_points_of_f1() -> None:
    data = gallery.data(pictures())
    shown = data.drop_duplicates("column").set_index("column")[["id", "epoch"]].to_dict("index")
    assert shown == {
        "none": {"id": "base", "epoch": 1},  # of equal F1 the earlier, where guided trials start
        "energy": {"id": "energy-0.005-0.0", "epoch": 1},  # epoch 5 has more EPG and loses five points
        "l1": {"id": "l1-0.005-0.0", "epoch": 1},
    }
    assert sorted(set(data["image"])) == [7, 31]


def test_of_several_baselines_the_best_is_shown_and_compared_with() -> None:
    frame, worse = pictures(), pictures().assign(learning_rate=1e-2)
    worse["f1_val"] -= 0.4
    worse["epg_val"] += 0.3
    worse["parent"] = worse["parent"].mask(worse["loss"] != "none", "low-base")
    both = gallery.data(pd.concat([worse.assign(id="low-" + worse["id"]), frame]))
    pd.testing.assert_frame_equal(both, gallery.data(frame))


def test_a_loss_that_always_loses_more_shows_its_best_f1() -> None:
    frame = pictures()
    frame.loc[frame["loss"] == "l1", "f1_val"] -= 0.1
    assert set(gallery.data(frame).query("loss == 'l1'")["epoch"]) == {1}


def test_dilations_have_a_column_each_beside_the_baseline() -> None:
    data = gallery_dilation.data(pictures())
    figure = gallery_dilation.draw(data)
    assert [axes.get_title() for axes in figure.axes[:4]] == ["Image", "Baseline", "Energy, 0 %", "Energy, 50 %"]
    assert set(data["guided_by"]) == {"energy"}


def test_a_row_an_image_with_its_boxes_on_every_picture() -> None:
    data = gallery.data(pictures())
    figure = gallery.draw(data)
    grid = np.reshape(figure.axes, (2, 4))
    assert [axes.get_title() for axes in grid[0]] == ["Image", "Baseline", "Energy", "L1"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["a|b", "cat"]
    assert [[len(axes.patches) for axes in row] for row in grid] == [[2] * 4, [1] * 4]
    energy = data[(data["column"] == "energy") & (data["image"] == 7)].iloc[0]
    values = np.frombuffer(energy["map"], dtype=np.float16).reshape(6, 6)
    drawn = grid[0, 2].images[0]
    assert drawn.get_clim() == (-1, 1)
    np.testing.assert_allclose(drawn.get_array() * np.quantile(np.abs(values.astype(float)), 0.995), values, atol=1e-3)
    assert grid[0, 2].get_xlabel() == f"{100 * energy['epg']:.0f} %"


def test_a_missing_baseline_is_said_in_its_place() -> None:
    figure = gallery.draw(gallery.data(pictures().query("loss != 'none'")))
    assert figure.axes[1].texts[0].get_text() == "none"


@pytest.mark.parametrize("broken", [{"map": b""}, {"pixels": b"12"}, {"side": 9}, {"side": np.nan}, {"map": None}])
def test_pictures_that_are_not_whole_are_left_out(broken: dict[str, object]) -> None:
    frame = pictures()
    frame["side"] = frame["side"].astype("float64")
    for key, value in broken.items():
        frame[key] = frame[key].where(frame["loss"] != "l1", value)
    assert set(gallery.data(frame)["loss"]) == {"none", "energy"}


def test_a_map_of_zeros_is_drawn() -> None:
    frame = pictures().assign(map=np.zeros((6, 6), dtype=np.float16).tobytes())
    gallery.draw(gallery.data(frame)).draw_without_rendering()


def test_no_pictures_are_no_data() -> None:
    assert maps.data(pd.DataFrame(), "loss").empty

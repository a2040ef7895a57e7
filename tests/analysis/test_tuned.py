"""Learning rates, batch sizes and epochs are tuned like lambda: none of them is a series, a row or a seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from synthetic import LAMBDAS, grouped, rich, small

from analysis.figures import FIGURES, lambdas, save
from analysis.tables import TABLES, layout
from analysis.tables import save as save_table

SHOWN = ("epg-f1", "iou-f1", "checkpoints", "class-epg", "size-epg", "cost-gain", "masks")
RATES = {0.001: 1e-4, 0.005: 1e-3}
"""A learning rate for each lambda: every guided trial has one of its own."""


def searched(frame: pd.DataFrame) -> pd.DataFrame:
    rates = frame["lambda_loc"].map(RATES).fillna(1e-4)
    return frame.assign(learning_rate=rates, batch_size=(rates * 1e5).astype("int64"), epochs=50)


@pytest.mark.parametrize("name", SHOWN)
def test_figures_show_what_they_would_if_lambda_alone_were_tuned(name: str) -> None:
    frame, module = rich(), FIGURES[name].load()
    frame.loc[frame["lambda_loc"] == 0.001, ["f1", "epg", "iou"]] -= 0.05  # none of it is on a front
    pd.testing.assert_frame_equal(module.data(searched(frame)), module.data(frame))


@pytest.mark.parametrize("name", ["best-f1", "epg-at-f1", "hypervolumes", "per-class"])
def test_tables_have_the_rows_they_would_if_lambda_alone_were_tuned(name: str) -> None:
    frame, module = rich(), TABLES[name].load()
    pd.testing.assert_frame_equal(module.data(searched(frame)), module.data(frame))


def test_baselines_of_several_learning_rates_are_one_cross() -> None:
    frame = small()
    lower = frame[frame["id"] == "base"].assign(id="a-base", learning_rate=1e-2)
    lower[["f1", "epg"]] -= 0.1
    moved = frame["parent"].mask(frame["lambda_loc"] == 0.005, "a-base")
    both = pd.concat([frame.assign(parent=moved), lower])
    for module in (FIGURES["epg-f1"].load(), TABLES["hypervolumes"].load(), TABLES["best-f1"].load()):
        pd.testing.assert_frame_equal(module.data(both), module.data(frame))


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_caption_says_whether_f1_or_accuracy_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exclusive: bool
) -> None:
    frame = small().assign(accuracy=1 - small()["f1"]) if exclusive else small()
    right, wrong = ("accuracy", "F1") if exclusive else ("F1", "accuracy")
    for name in ("best-f1", "epg-at-f1"):
        caption = save_table(name, frame, tmp_path)[1].read_text().replace("\n", " ")
        assert f"validation {right}" in caption
        assert f"validation {wrong}" not in caption
    module, notes = FIGURES["lambdas"].load(), list[str]()
    draw = module.draw
    monkeypatch.setattr(module, "draw", lambda page: notes.append((drawn := draw(page)).get_supxlabel()) or drawn)
    save("lambdas", frame, tmp_path)
    assert all(f"best epoch by validation {right}" in " ".join(note.split()) for note in notes)
    assert notes


def test_what_was_chosen_over_is_said(tmp_path: Path) -> None:
    said = "Chosen on validation over λ, learning rate, batch size and epoch."
    for name, frame in (("a", searched(small())), ("b", small())):
        caption = (save_table("best-f1", frame, tmp_path / name)[1]).read_text()
        assert (said in caption) == (name == "a")
        page = FIGURES["epg-f1"].load().data(frame)
        assert page.attrs == {}
    page.attrs["tuned"] = ("learning_rate", "batch_size")
    assert said in FIGURES["epg-f1"].load().draw(page).get_supxlabel()


def test_a_figure_is_told_what_was_chosen_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, told = FIGURES["limited-boxes"].load(), []
    draw = module.draw
    monkeypatch.setattr(module, "draw", lambda page: told.append(page.attrs["tuned"]) or draw(page))
    save("limited-boxes", searched(small()), tmp_path)
    assert told == [("learning_rate", "batch_size")]


def noted(name: str, frame: pd.DataFrame, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The notes below each page of a figure, by the stem of its files."""
    module, notes = FIGURES[name].load(), []
    draw = module.draw

    def kept(page: pd.DataFrame) -> Figure:
        figure = draw(page)
        notes.append(" ".join(figure.get_supxlabel().split()))
        return figure

    monkeypatch.setattr(module, "draw", kept)
    paths = save(name, frame, folder)
    return dict(zip([path.stem for path in paths[::4]], notes, strict=True))


def test_a_page_is_said_to_be_chosen_over_what_was_varied_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voc, coco = searched(small()), small().assign(dataset="coco2014")
    frame = pd.concat([voc, coco.assign(id="c-" + coco["id"], parent="c-" + coco["parent"])])
    told = noted("epg-f1", frame, tmp_path, monkeypatch)
    assert {stem: "learning rate" in note for stem, note in told.items()} == {
        "epg-f1-coco2014": False,
        "epg-f1-voc2007": True,
    }
    captions = [path.read_text() for path in save_table("best-f1", frame, tmp_path)[1::3]]
    assert ["learning rate" in caption for caption in captions] == [False, True]  # COCO, VOC


def test_what_was_varied_for_other_annotations_is_not_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = small()
    more = frame.query("bbox_fraction == 0.01").assign(learning_rate=1e-3, id=lambda rows: "fast-" + rows["id"])
    frame = pd.concat([frame, more])
    assert not any("learning rate" in note for note in noted("epg-f1", frame, tmp_path, monkeypatch).values())
    assert all("learning rate" in note for note in noted("limited-boxes", frame, tmp_path, monkeypatch).values())


def test_lines_over_lambda_are_said_to_be_of_one_learning_rate_where_it_was_varied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = noted(
        "lambdas",
        pd.concat([small(), searched(small()).query("depth == 'input'").assign(id=lambda rows: "fast-" + rows["id"])]),
        tmp_path,
        monkeypatch,
    )
    assert {stem: "same learning rate" in note for stem, note in told.items()} == {
        "lambdas-final": False,
        "lambdas-input": True,
        "lambdas-mid2": False,
    }


def test_a_line_over_lambda_joins_trials_of_one_learning_rate() -> None:
    frame = small().query("id == 'base' or (depth == 'input' and bbox_fraction == 1 and bbox_dilation == 0)")
    other = frame.query("loss != 'none'").assign(learning_rate=1e-2)
    data = lambdas.data(pd.concat([frame, other.assign(id="fast-" + other["id"])]))
    figure = lambdas.draw(data[data["depth"] == "input"])
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert [list(line.get_xdata()) for line in lines] == [list(LAMBDAS[:2])] * 4  # of two losses and two rates
    assert "A line joins trials of the same learning rate." in " ".join(figure.get_supxlabel().split())


def test_groups_tell_what_they_do_not_choose_between() -> None:
    frame = grouped()
    fast = frame.query("loss == 'energy'").assign(learning_rate=1e-3)
    data = TABLES["groups"].load().data(pd.concat([frame, fast.assign(id="fast-" + fast["id"])]))
    labels = list(dict.fromkeys(data["variant"]))
    assert labels == ["Baseline", "Energy, learning rate 0.0001", "Energy, learning rate 0.001", "L1"]
    assert set(data["seeds"]) == {2}


def longer(frame: pd.DataFrame) -> pd.DataFrame:
    """The same trials once more, from baselines that were trained longer."""
    ids = dict(zip(frame["id"], "long-" + frame["id"], strict=True))
    again = frame.assign(id=frame["id"].map(ids), parent=frame["parent"].map(ids))
    again["epochs"] = again["epochs"].mask(again["loss"] == "none", 300)
    return pd.concat([frame, again], ignore_index=True)


def test_another_baseline_is_no_further_seed_of_groups() -> None:
    data = TABLES["groups"].load().data(longer(grouped()))
    energy = data[(data["loss"] == "energy") & data["measure"].str.endswith("worst_group_accuracy")]
    assert set(energy["seeds"]) == {2}
    told = {variant.partition(", ")[2] for variant in energy["variant"]}
    assert told == {"baseline's number of epochs 50", "baseline's number of epochs 300"}
    assert set(data.loc[data["loss"] == "none", "seeds"]) == {2}


def test_a_line_of_lambdas_joins_trials_of_one_baseline() -> None:
    frame = small().query("id == 'base' or (depth == 'input' and bbox_fraction == 1 and bbox_dilation == 0)")
    data = lambdas.data(longer(frame))
    figure = lambdas.draw(data[data["depth"] == "input"])
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert [list(line.get_xdata()) for line in lines] == [list(LAMBDAS[:2])] * 4  # of two losses and two baselines
    assert "A line joins trials of the same baseline." in " ".join(figure.get_supxlabel().split())
    assert lambdas.STARTED_FROM not in lambdas.data(small())


def test_groups_hide_a_share_of_boxes_only_if_all_have_it_and_then_say_it() -> None:
    module, frame = TABLES["groups"].load(), grouped()
    assert " Guided with 1 % of the images with boxes." in module.caption(module.data(frame))
    all_boxes = frame.query("loss != 'none'").assign(bbox_fraction=1.0)
    data = module.data(pd.concat([frame, all_boxes.assign(id="all-" + all_boxes["id"])]))
    assert set(data["variant"]) == {
        "Baseline", "Energy", "Energy, bbox_fraction 0.01", "L1", "L1, bbox_fraction 0.01",
    }  # fmt: skip
    assert set(data["seeds"]) == {2}
    assert "of the images with boxes" not in layout.table(module, data).caption

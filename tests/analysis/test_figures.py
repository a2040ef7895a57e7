"""Every figure from a synthetic store: its numbers, its files, and what happens when there is nothing to show."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.figures import FIGURES, epg_f1, save, style
from analysis.pareto import front
from mgsweep.errors import MgsweepError, UnknownName
from mgsweep.trial import CONFIG, Trial

DEFAULTS = {key: Trial.model_fields[key].default for key in CONFIG}
LAMBDAS = (0.001, 0.005, 0.01)
MODELS = {"vanilla": "ixg", "bcos": "bcos"}
DEPTHS = ("input", "final")
LOSSES = ("energy", "l1", "ppce", "rrr")


def rows(trial: dict[str, Any], epoch: int, probe: tuple[str, str], value: np.ndarray) -> list[dict[str, Any]]:
    """A validation and a test row; test is a little lower."""
    place = {"epoch": epoch, "probe_attribution": probe[0], "probe_depth": probe[1]}
    return [
        DEFAULTS | trial | place | {"split": split, "f1": f1, "mean_ap": f1, "epg": epg, "iou": 0.3}
        for split, (f1, epg) in {"val": value, "test": value - 0.01}.items()
    ]


def store(losses: tuple[str, ...] = LOSSES, dataset: str = "voc2007", seed: int = 0, **config: Any) -> pd.DataFrame:
    """2 models x 2 depths x losses x 3 lambdas x 6 epochs, as `Store.frame()` gives them: the EPG of a loss rises as
    its F1 falls, faster for larger lambdas.
    """
    generator = np.random.default_rng(seed)
    frame = []
    for model, depth in product(MODELS, DEPTHS):
        probe = (MODELS[model], depth)
        common = {"dataset": dataset, "model": model, "seed": seed} | config
        base = common | {"id": f"{dataset}-{model}-{seed}", "loss": "none"}
        frame += rows(base, 4, probe, np.array([0.8, 0.45]))
        for (number, loss), lambda_loc in product(enumerate(losses), LAMBDAS):
            own = {
                "loss": loss,
                "lambda_loc": lambda_loc,
                "attribution": probe[0],
                "depth": depth,
                "parent": base["id"],
            }
            trial = common | own | {"id": f"{base['id']}-{depth}-{loss}-{lambda_loc}"}
            for epoch in range(1, 7):
                loss_of_f1 = 0.002 * epoch + lambda_loc * epoch
                value = np.array([0.805 - loss_of_f1, 0.46 + (4 - number) * loss_of_f1])
                frame += rows(trial, epoch, probe, value + generator.normal(0, 0.003, 2))
    return pd.DataFrame(frame)


def texts(figure: Figure) -> str:
    """All that is written in a figure."""
    written = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return " | ".join(filter(None, written))


def note(figure: Figure, dataset: str = "VOC 2007") -> str:
    """What stands under a figure after the sentence that is always there."""
    always, _, rest = figure.get_supxlabel().replace("\n", " ").partition(" validation.")
    assert always == f"{dataset}: test results of the fronts chosen on"
    return rest.strip()


@pytest.mark.parametrize("name", FIGURES)
def test_three_files_of_which_one_holds_the_numbers(name: str, tmp_path: Path) -> None:
    frame = store()
    paths = save(name, frame, tmp_path / "new")
    assert [path.name for path in paths] == [f"{name}.pdf", f"{name}.png", f"{name}.csv"]
    written = pd.read_csv(paths[2], dtype={"id": str})
    pd.testing.assert_frame_equal(written, FIGURES[name].load().data(frame), check_dtype=False, check_exact=True)
    assert b"/Type3" not in paths[0].read_bytes()
    assert b"/FontFile2" in paths[0].read_bytes()  # TrueType, embedded


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_store_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    first, second = save(name, store(), tmp_path / "a"), save(name, store().sample(frac=1), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_readers_own_settings_do_not_show(tmp_path: Path) -> None:
    expected = save("epg-f1", store(), tmp_path / "a")
    with matplotlib.rc_context({"font.size": 20, "axes.grid": False, "pdf.fonttype": 3, "savefig.bbox": "tight"}):
        changed = save("epg-f1", store(), tmp_path / "b")
        assert matplotlib.rcParams["font.size"] == 20
    assert [path.read_bytes() for path in changed] == [path.read_bytes() for path in expected]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_for_each_data_set(name: str, tmp_path: Path) -> None:
    paths = save(name, pd.concat([store(), store(dataset="coco2014")]), tmp_path)
    assert {path.stem for path in paths} == {f"{name}-coco2014", f"{name}-voc2007"}
    assert {path.suffix for path in paths} == {".pdf", ".png", ".csv"}
    assert set(pd.read_csv(tmp_path / f"{name}-coco2014.csv")["dataset"]) == {"coco2014"}


NOTHING = {
    "no columns": pd.DataFrame(),
    "no rows": store().head(0),
    "no test": store().query("split == 'val'"),
    "all NaN": store().assign(f1=np.nan, epg=np.nan, iou=np.nan, mean_ap=np.nan),
    "baselines alone": store().query("loss == 'none'"),
}


@pytest.mark.parametrize("frame", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_to_draw_is_one_clear_error(name: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    trials = frame["id"].nunique() if len(frame) else 0
    with pytest.raises(MgsweepError, match=f"figure '{name}': nothing to draw: needs .*; {trials} trials have none"):
        save(name, frame, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_figure_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'epg-f1'"):
        save("epg_f1", store(), tmp_path)


def test_epg_f1_plots_the_validation_front_with_test_values() -> None:
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


def test_epg_f1_panels() -> None:
    figure = epg_f1.draw(epg_f1.data(store()))
    axes = np.reshape(figure.axes, (2, 2))
    assert [ax.get_title() for ax in axes[0]] == ["Vanilla (IxG)", "B-cos"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["Input\nEPG (%) ↑", "Final\nEPG (%) ↑"]
    assert {ax.get_xlabel() for ax in axes[-1]} == {"F1 (%) ↑"}
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes.flat}) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Baseline", "Energy", "L1", "PPCE", "RRR*"]
    assert note(figure) == ""


def test_epg_f1_sizes_are_the_venues() -> None:
    full = epg_f1.draw(epg_f1.data(store()))
    one = epg_f1.draw(epg_f1.data(store().query("model == 'bcos' and (depth == 'input' or probe_depth == 'input')")))
    assert full.get_figwidth() * 72.27 == pytest.approx(496.856)
    assert one.get_figwidth() * 72.27 == pytest.approx(237.136)


def test_epg_f1_draws_a_loss_that_style_does_not_know() -> None:
    figure = epg_f1.draw(epg_f1.data(store((*LOSSES, "zeta", "alpha"))))
    handles = figure.legends[0].legend_handles
    assert [handle.get_label() for handle in handles][-2:] == ["alpha", "zeta"]
    looks = [(handle.get_color(), handle.get_marker()) for handle in handles[1:]]
    assert looks == [*style.MARKS.values(), *style.FURTHER[:2]]


def test_more_losses_than_marks() -> None:
    names = [f"loss{number:02}" for number in range(len(style.FURTHER) + 1)]
    assert style.marks(names)[names[-1]] == style.FURTHER[0]


def test_epg_f1_draws_a_front_for_each_seed() -> None:
    shown = epg_f1.data(pd.concat([store(), store(seed=1), store(seed=2)]))
    figure = epg_f1.draw(shown)
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert len(dashed) == len(LOSSES) * 3
    assert "3 seeds" in note(figure)


def test_epg_f1_names_what_is_missing() -> None:
    frame = store()
    lost = (frame["model"] == "vanilla") & (frame["depth"] == "input") & frame["loss"].isin(["l1", "ppce"])
    gone = (frame["model"] == "bcos") & (frame["depth"] == "final")
    figure = epg_f1.draw(epg_f1.data(frame[~lost & ~gone]))
    assert note(figure) == "No result: Vanilla (IxG) at Input (L1, PPCE); B-cos at Final (all)."
    assert "no result" in texts(figure)


def test_epg_f1_without_baselines_says_so() -> None:
    figure = epg_f1.draw(epg_f1.data(store().query("loss != 'none' and model == 'bcos'")))
    assert note(figure) == "No result: B-cos at Input (Baseline); B-cos at Final (Baseline)."


def test_epg_f1_of_a_single_point() -> None:
    frame = store(("energy",)).query("lambda_loc == 0.01 and epoch == 1 and model == 'bcos' and depth == 'input'")
    assert len(epg_f1.data(frame)) == 1
    assert epg_f1.draw(epg_f1.data(frame)).axes[0].get_title() == "B-cos"


def test_epg_f1_counts_points_that_lose_too_much_f1() -> None:
    frame = store()
    frame.loc[(frame["loss"] == "rrr") & (frame["lambda_loc"] == 0.01), "f1"] -= 0.4
    frame.loc[(frame["loss"] == "rrr") & (frame["lambda_loc"] == 0.01), "epg"] += 0.1
    shown = epg_f1.data(frame)
    figure = epg_f1.draw(shown)
    outside = (shown["f1"] < 0.5).sum()
    assert outside > 0
    assert note(figure) == f"Points left of the axes: {outside} of RRR*."
    assert figure.axes[0].get_xlim()[0] > 0.67


def test_epg_f1_leaves_other_experiments_to_other_figures() -> None:
    other = store(bbox_fraction=0.1).replace({"id": "voc"}, "few", regex=True)
    pd.testing.assert_frame_equal(epg_f1.data(pd.concat([store(), other])), epg_f1.data(store()))


def test_epg_f1_tells_backbones_apart() -> None:
    other = store(backbone="vit_s").replace({"id": "voc", "parent": "voc"}, "vit", regex=True)
    figure = epg_f1.draw(epg_f1.data(pd.concat([store(), other])))
    titles = [ax.get_title() for ax in figure.axes[:4]]
    assert titles == ["Vanilla ResNet-50 (IxG)", "Vanilla vit_s (IxG)", "B-cos ResNet-50", "B-cos vit_s"]


def test_another_process_writes_the_same_bytes_without_torch_or_ray(tmp_path: Path) -> None:
    expected = save("epg-f1", store(), tmp_path / "a")
    store().to_pickle(tmp_path / "frame")
    script = (
        "import sys, pandas, analysis; from analysis.figures import save\n"
        f"save('epg-f1', pandas.read_pickle({str(tmp_path / 'frame')!r}), {str(tmp_path / 'b')!r})\n"
        "print({'torch', 'ray', 'optuna', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert [(tmp_path / "b" / path.name).read_bytes() for path in expected] == [path.read_bytes() for path in expected]

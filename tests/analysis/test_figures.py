"""Every figure from a synthetic store: its numbers, its files, and what happens when there is nothing to show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from synthetic import HOSTILE, pictures, rich, small, store

from analysis.figures import FIGURES, NothingToDraw, maps, save, style
from mgsweep.errors import UnknownName

GOLDEN = Path(__file__).parents[1] / "golden" / "figures"
ON_VALIDATION = ("search", "checkpoints", "curves", "cost-gain")
RICH = (
    "held-out-iou-f1",
    "on-object-epg",
    "epg-map",
    "iou-map",
    "backbones",
    "masks",
    "class-epg",
    "size-epg",
    "cost-gain",
)
"""Figures of what `small` does not hold."""

ALIKE = {"iou-f1", "held-out-iou-f1", "on-object-epg", "epg-map", "iou-map", "backbones"}
"""Figures that are drawn by the same lines as epg-f1."""


def full(name: str) -> pd.DataFrame:
    """A store that fills the figure."""
    return rich() if name in RICH else pictures() if FIGURES[name].reads == "pictures" else small()


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"id": str})


# At the input alone, for one page: the figures of a setting would draw each depth.
AT_INPUT = [
    frame.query("depth != 'mid2' and depth != 'final' and probe_depth != 'mid2' and probe_depth != 'final'")
    for frame in (small(), rich())
]
DEEPER = small().query("probe_depth == 'input' or split == 'train'")


def one_page(name: str) -> pd.DataFrame:
    """A store that fills a page of the figure, or two for backbones of their own."""
    return pictures() if FIGURES[name].reads == "pictures" else DEEPER if name == "depths" else AT_INPUT[name in RICH]


@pytest.mark.parametrize("name", FIGURES)
def test_the_numbers_of_a_small_store(name: str) -> None:
    """Golden: kept from a version whose numbers were checked; whoever means to change one writes the file anew."""
    assert (
        FIGURES[name].load().data(full(name)).drop(columns=["map", "pixels"], errors="ignore").to_csv(index=False)
        == (GOLDEN / f"{name}.csv").read_text()
    )


@pytest.fixture(scope="module", params=FIGURES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """Name and files of each figure of the small store."""
    return request.param, save(request.param, one_page(request.param), tmp_path_factory.mktemp(request.param) / "new")


def test_four_files_a_page_of_which_one_holds_the_numbers(saved: tuple[str, list[Path]]) -> None:
    name, paths = saved
    assert sorted(paths) == sorted(paths[0].parent.glob("[!.]*"))
    assert [path.suffix for path in paths] == [".pdf", ".png", ".svg", ".csv"] * (len(paths) // 4)
    assert all(path.name.startswith(name) for path in paths)
    written = pd.concat([read(path) for path in paths[3::4]])
    expected = FIGURES[name].load().data(one_page(name)).drop(columns=["map", "pixels"], errors="ignore")
    assert sorted(written.to_csv(index=False).splitlines()) == sorted(expected.to_csv(index=False).splitlines())
    assert b"/Type3" not in paths[0].read_bytes()
    assert b"/FontFile2" in paths[0].read_bytes()  # TrueType, embedded


def test_the_same_store_gives_the_same_bytes(saved: tuple[str, list[Path]], tmp_path: Path) -> None:
    name, paths = saved
    again = save(name, one_page(name).sample(frac=1, random_state=0), tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_the_readers_own_settings_do_not_show(tmp_path: Path) -> None:
    expected = save("epg-f1", store(), tmp_path / "a")
    with matplotlib.rc_context({"font.size": 20, "axes.grid": False, "pdf.fonttype": 3, "savefig.bbox": "tight"}):
        changed = save("epg-f1", store(), tmp_path / "b")
        assert matplotlib.rcParams["font.size"] == 20
    assert [path.read_bytes() for path in changed] == [path.read_bytes() for path in expected]


def test_pages_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    paths = save("epg-f1", pd.concat([store(), store(dataset="coco2014")]), tmp_path)
    assert [path.name for path in paths[::4]] == ["epg-f1-coco2014.pdf", "epg-f1-voc2007.pdf"]
    assert set(read(tmp_path / "epg-f1-coco2014.csv")["dataset"]) == {"coco2014"}
    paths = save("checkpoints", store(("energy",)).query("depth != 'final'"), tmp_path)
    assert [path.stem for path in paths[::4]] == ["checkpoints-bcos-bcos", "checkpoints-vanilla-ixg"]


def test_data_sets_that_no_file_can_be_named_after(tmp_path: Path) -> None:
    twins = [HOSTILE, HOSTILE[:-1] + "?"]
    frame = pd.concat([store(("energy",), dataset=dataset) for dataset in twins])
    paths = save("epg-f1", frame, tmp_path)
    assert len(set(paths)) == 8
    assert all(b"/Type3" not in path.read_bytes() for path in paths[::4])
    assert sorted(paths) == sorted(tmp_path.glob("[!.]*"))
    assert {read(path)["dataset"].iloc[0] for path in paths[3::4]} == set(twins)


NOTHING = {
    "no columns": pd.DataFrame(),
    "no rows": small().head(0),
    "no test": small().query("split == 'val'"),
    "all NaN": rich().assign(f1=np.nan, epg=np.nan, iou=np.nan, mean_ap=np.nan, epg_by_class=None, epg_by_size=None),
    "baselines alone": small().query("loss == 'none'"),
}


@pytest.mark.parametrize("what", NOTHING)
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_to_draw_is_one_clear_error(name: str, what: str, tmp_path: Path) -> None:
    if what == "no test" and name in ON_VALIDATION:
        return  # these need none
    trials = NOTHING[what]["id"].nunique() if len(NOTHING[what]) else 0
    with pytest.raises(NothingToDraw, match=f"figure '{name}': nothing to draw: needs .*; {trials} trials have none"):
        save(name, NOTHING[what], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pages_of_an_earlier_run_are_not_left_to_mislead(tmp_path: Path) -> None:
    (tmp_path / "epg-f1-mine.pdf").write_text("not ours")
    save("iou-f1", store(), tmp_path)
    others = set(tmp_path.iterdir())
    save("epg-f1", pd.concat([store(), store(dataset="coco2014")]), tmp_path)
    now = save("epg-f1", store(), tmp_path)
    assert set(tmp_path.iterdir()) == others | set(now)
    with pytest.raises(NothingToDraw):
        save("epg-f1", store().query("split == 'val'"), tmp_path)
    assert set(tmp_path.iterdir()) == others


@pytest.mark.parametrize("note", ["", "[]", '{"epg-f1": ["../victim"]}', '{"epg-f1": 3}', "\0"])
def test_a_note_of_files_that_was_tampered_with_removes_nothing_outside(note: str, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / ".mgsweep.json").write_text(note)
    save("epg-f1", store(), folder)
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("name", ["dilation", "limited-boxes", "depths"])
def test_a_study_that_was_not_made_is_not_drawn(name: str, tmp_path: Path) -> None:
    with pytest.raises(NothingToDraw):
        save(name, store(), tmp_path)


ODD = {
    "one point": lambda frame: frame[frame["lambda_loc"].isin([0, 0.005]) & frame["epoch"].isin([1, 5])],
    "no baseline": lambda frame: frame[frame["loss"] != "none"],
    "NaN here and there": lambda frame: frame.assign(epg=frame["epg"].where(frame["lambda_loc"] != 0.001)),
    "unknown losses": lambda frame: frame.replace({"loss": {"energy": HOSTILE, "l1": "zeta"}}),
    "hostile everything": lambda frame: frame.replace(
        dict.fromkeys(["voc2007", "bcos", "resnet50", "energy"], HOSTILE)
    ),
    "one value": lambda frame: frame.assign(f1=0.5, epg=0.5, iou=0.5),
}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", sorted(set(FIGURES) - ALIKE))
def test_odd_results_are_drawn(name: str, what: str) -> None:
    module = FIGURES[name].load()
    data = module.data(ODD[what](one_page(name)))
    if name == "cost-gain" and what in ("no baseline", "one value"):
        return  # it compares with the baseline
    assert len(data) or (what == "one point" and name == "gallery-dilation")
    for _, page in data.groupby([*module.PAGE]):
        with style.paper():
            module.draw(page).draw_without_rendering()


def test_names_are_never_formulas() -> None:
    module = FIGURES["epg-f1"].load()
    figure = module.draw(module.data(AT_INPUT[0].assign(dataset="$x^2$ \N{GRINNING FACE}")))
    assert figure.get_supxlabel().startswith("$x^2$ ?, ResNet-50: test results")


def test_a_search_without_area_is_told_why_it_has_no_figure(tmp_path: Path) -> None:
    needs = "needs validation results of guided trials with both F1 and EPG above 0"
    with pytest.raises(NothingToDraw, match=needs):
        save("search", small().assign(f1=0.0), tmp_path)


WIDE = f"MMMM {'W' * 60} {'iiii ' * 80} mW@%& λ ± → Größe {'A' * 300}"


@pytest.mark.parametrize("width", [1.5, 3.28, 6.9])
@pytest.mark.parametrize("note", [maps.SHOWN, WIDE, "short", ""])
def test_notes_fit_the_width_of_their_figure(note: str, width: float) -> None:
    lines = style.wrapped(note, width)
    assert "".join(lines).replace(" ", "") == note.replace(" ", "")
    with style.paper():
        figure = Figure(figsize=(width, 1), dpi=300)
        drawn = [figure.text(0.01, 0, line, fontsize=6) for line in lines]
        figure.draw_without_rendering()
        assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in drawn)
    if note == maps.SHOWN:
        assert all(text.get_window_extent().width > 0.7 * figure.bbox.width for text in drawn[:-1])


def test_the_note_of_a_narrow_gallery_is_whole() -> None:
    shown = pictures().query("loss != 'l1'")
    figure = FIGURES["gallery"].load().draw(FIGURES["gallery"].load().data(shown))
    figure.set_dpi(300)
    with style.paper():
        figure.draw_without_rendering()
    [note] = figure.texts
    assert note.get_window_extent().x1 <= figure.bbox.x1


def test_an_unknown_figure_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'epg-f1'"):
        save("epg_f1", store(), tmp_path)


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

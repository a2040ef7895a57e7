"""Pictures that a trial leaves: of which images and epochs, how large, and how they are made anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mgsweep import runner
from mgsweep.cli import app
from mgsweep.errors import InvalidInput, StoreError
from mgsweep.guidance import boxes, gallery, metrics
from mgsweep.guidance.attributions import attribute
from mgsweep.guidance.checkpoint import load_weights
from mgsweep.guidance.datasets.cache import prepare
from mgsweep.guidance.models import build
from mgsweep.plan import load
from mgsweep.runner import Places, execution, pictures
from mgsweep.runner.execution import execute
from mgsweep.store import Store
from mgsweep.store.gallery import Gallery
from mgsweep.trial import Trial

CPU = torch.device("cpu")


@pytest.fixture
def ran(sweep: Path, tmp_path: Path) -> tuple[Store, Places, list]:
    """A baseline and a guided trial of the tiny sweep, trained."""
    plan, store = load(sweep), Store(tmp_path / "results")
    places = Places(store.path, plan.data)
    trials = [plan.baselines[0], next(trial for trial in plan.guided if trial.parent == plan.baselines[0].id)]
    store.begin(plan.text, plan.trials)
    for trial in trials:
        list(execute(trial, places))
    return store, places, trials


def test_a_trial_leaves_pictures_that_can_be_checked(ran: tuple[Store, Places, list]) -> None:
    store, places, (baseline, guided) = ran
    frame = Gallery(store.path).frame()
    assert set(frame["id"]) == {baseline.id, guided.id}
    data = prepare(guided.dataset, places.root(guided.dataset), guided.image_size, places.cache)
    assert sorted(set(frame["image"])) == gallery.chosen(data.test)
    row = frame[frame["id"] == guided.id].iloc[0]
    model = build(guided.model, guided.backbone, len(data.classes)).eval()
    model.network.load_state_dict(load_weights(store.weights(guided.id, int(row["epoch"]))))
    label, image = data.classes.index(row["class"]), int(row["image"])
    maps = attribute(
        model, data.test.images[[image]].float() / 255, torch.tensor([label]), guided.attribution, guided.depth
    )
    stored = np.frombuffer(row["map"], dtype=np.float16).reshape(row["side"], row["side"]) * row["peak"]
    np.testing.assert_allclose(stored, maps[0], rtol=2e-3, atol=2e-3 * row["peak"])
    pair = data.test.pair_of[image, label : label + 1]
    epg = metrics.epg(maps, boxes.masks(data.test.boxes[pair], guided.image_size))
    assert row["epg"] == pytest.approx(float(epg), abs=1e-5)
    pixels = np.frombuffer(row["pixels"], dtype=np.uint8).reshape(32, 32, 3)
    np.testing.assert_array_equal(pixels, data.test.images[image].permute(1, 2, 0))
    assert Gallery(store.path).classes(guided.id) == list(data.classes)


def test_pictures_are_of_the_best_epoch_and_of_that_with_the_best_epg(ran: tuple[Store, Places, list]) -> None:
    """Guided outside of the boxes that is the least. What was not measured, or not kept, is not shown for it."""
    _, _, (_, guided) = ran
    epgs = {1: 0.2, 2: 0.5, 3: 0.4, 4: 0.9, 5: None, 6: float("nan")}
    scores = {epoch: {"f1_val": 0.5, "epg_val": epg} for epoch, epg in epgs.items()}
    kept = {1, 2, 3, 5, 6, 7}
    assert pictures._moments(guided, kept, scores, 3) == [2, 3]
    assert pictures._moments(guided.model_copy(update={"guidance_region": "outside"}), kept, scores, 3) == [1, 3]


def test_further_images_are_added_to_those_there(ran: tuple[Store, Places, list]) -> None:
    store, places, (_, guided) = ran
    before = Gallery(store.path).images(guided.id)
    data = prepare(guided.dataset, places.root(guided.dataset), guided.image_size, places.cache)
    labelled = data.test.labels.any(1).nonzero().flatten().tolist()
    pictures.hang(guided, places, CPU, labelled)
    assert Gallery(store.path).images(guided.id) == before | set(labelled)
    with pytest.raises(InvalidInput, match="expected labelled test images, 0 to .*, got 1000"):
        pictures.hang(guided, places, CPU, [1000])


def test_damaged_and_foreign_pictures_are_left_out_and_made_anew(ran: tuple[Store, Places, list]) -> None:
    store, places, (baseline, guided) = ran
    file = store.path / "gallery" / f"{guided.id}.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    (store.path / "gallery" / "foreign.parquet").write_bytes((store.path / "plan.parquet").read_bytes())
    assert set(Gallery(store.path).frame()["id"]) == {baseline.id}
    assert Gallery(store.path).classes(guided.id) == []
    assert pictures.hang_all([baseline, guided], places, []) == (2, [])
    assert set(Gallery(store.path).frame()["id"]) == {baseline.id, guided.id}


def test_lost_weights_are_said(ran: tuple[Store, Places, list]) -> None:
    store, places, (_, guided) = ran
    for file in (store.path / "checkpoints" / guided.id).iterdir():
        file.write_bytes(b"not weights")
    made, lacking = pictures.hang_all([guided], places, [])
    assert made == 0
    assert lacking[0].startswith(f"no pictures of {guided.id}: ")


@pytest.mark.parametrize("dataset", ["coco2014", "pets_0123456789ab"])
def test_data_that_are_not_at_hand_cost_no_other_trial_its_pictures(
    ran: tuple[Store, Places, list], dataset: str
) -> None:
    """As those of an earlier version of the sweep file, that are elsewhere or have changed."""
    store, places, (baseline, _) = ran
    before = Trial(dataset=dataset, model="bcos")
    store.plan([before])
    store.commit(before.id, store.rows(baseline.id))
    made, (lacking,) = pictures.hang_all([before, baseline], places, [])
    assert made == 1
    assert lacking.startswith(f"no pictures of {before.id}: ")
    with pytest.raises(InvalidInput, match="--images: expected labelled test images"):
        pictures.hang_all([before, baseline], places, [1000])


def test_the_gallery_says_what_to_type_next_or_why_there_is_none(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    typed = ["gallery", str(sweep), "--store", str(tmp_path)]
    monkeypatch.setattr(pictures, "hang_all", lambda *_: (3, ["no pictures of x: lost"]))
    said = CliRunner().invoke(app, typed, env={"COLUMNS": "300"}).stdout
    assert said.splitlines()[-1] == f"pictures of 3 trials. Next: mgsweep figures tiny gallery --store {tmp_path}"
    monkeypatch.setattr(pictures, "hang_all", lambda *_: (0, ["no pictures of x: lost"]))
    with pytest.raises(StoreError, match="^no pictures of x: lost$"):
        CliRunner().invoke(app, typed, catch_exceptions=False)


def test_a_trial_does_not_fail_for_want_of_pictures(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(pictures, "hang", broken)
    plan, store = load(sweep), Store(tmp_path / "results")
    store.begin(plan.text, plan.trials)
    list(execute(plan.baselines[0], Places(store.path, plan.data)))
    assert store.is_done(plan.baselines[0])
    assert "no pictures: no room" in store.log(plan.baselines[0].id).read_text()
    assert runner.agenda(plan, store).done
    assert execution.train_on_data


def test_the_class_with_the_largest_boxes_is_shown() -> None:
    class Split:
        labels = torch.tensor([[True, False, True]])
        pair_of = torch.tensor([[0, -1, 1]])
        boxes = torch.tensor([[[0, 0, 4, 4], [0, 0, 4, 4]], [[0, 0, 4, 5], [0, 0, 0, 0]]])
        images = torch.zeros(1, 3, 8, 8)

    assert gallery._largest(Split(), 0) == 1  # type: ignore[arg-type]  # two equal boxes cover 16 pixels, the other 20


def test_the_pictures_of_a_trial_are_small() -> None:
    """Of the size of the study, from noise, which does not compress: four images, two epochs, the input."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "id": "x",
            "pixels": generator.integers(0, 255, (gallery.SIDE, gallery.SIDE, 3), dtype=np.uint8).tobytes(),
            "map": generator.normal(size=(gallery.SIDE, gallery.SIDE)).astype(np.float16).tobytes(),
        }
        for _ in range(gallery.IMAGES)
    ]
    later = [{**row, "map": generator.normal(size=(gallery.SIDE,) * 2).astype(np.float16).tobytes()} for row in rows]
    assert _size([*rows, *later]) < 300_000


def _size(rows: list[dict[str, object]]) -> int:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Gallery(Path(folder)).hang("x", rows, ["a"])
        return (Path(folder) / "gallery" / "x.parquet").stat().st_size


def test_the_same_images_are_chosen_whatever_the_labels_of_others() -> None:
    class Split:
        labels = torch.ones(100, 2, dtype=torch.bool)

    first = gallery.chosen(Split())  # type: ignore[arg-type]
    assert len(first) == gallery.IMAGES
    Split.labels = Split.labels.clone()
    Split.labels[first[0]] = False
    assert set(first[1:]) < set(gallery.chosen(Split()))  # type: ignore[arg-type]

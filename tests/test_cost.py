"""What a plan will take: the store's own timings first, published ones else, and which of them it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_store import row

from mgsweep.listings.planned import forecast, orphans, reached
from mgsweep.plan import load
from mgsweep.plan.cost import IMAGES, MEASURED_AT, PUBLISHED, cost, epoch_seconds
from mgsweep.plan.schema import Resources
from mgsweep.store import Store
from mgsweep.trial import Probe, Trial

ROOT = Path(__file__).parents[1]
BASELINE = Trial(dataset="voc2007", model="bcos", epochs=300)
GUIDED = Trial(
    dataset="voc2007", model="bcos", attribution="bcos", depth="input", loss="energy", lambda_loc=1e-3, epochs=50,
    parent=BASELINE.id,
)  # fmt: skip


def like(trial: Trial, **change: object) -> Trial:
    return Trial(**{**trial.model_dump(), **change})


def test_the_papers_grid_takes_what_a_reproduction_reports() -> None:
    """72 guided VOC trials were estimated at 45 A100 hours, and one of bcos at Input was timed at 64 to 69 minutes."""
    assert cost([GUIDED], {}).total / 60 == pytest.approx(66.5, abs=2.5)
    assert cost([BASELINE], {}).total / 60 == pytest.approx(150, abs=2)
    trials = [trial for trial in load(ROOT / "sweeps/full_grid.yaml").guided if trial.dataset == "voc2007"]
    assert cost(trials, {}).total / 3600 == pytest.approx(45, rel=0.15)


def test_coco_scales_with_its_images() -> None:
    """538 s an epoch were measured for bcos without guidance, data loading included."""
    baseline = like(BASELINE, dataset="coco2014", epochs=1)
    assert cost([baseline], {}).total == pytest.approx(10 * 73872 / 2501 + 20 * 8209 / 2510)
    assert 300 < cost([baseline], {}).total < 538


def test_the_stores_own_timings_come_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "demo")
    rows = [row(GUIDED, epoch, split, seconds=3.0) for epoch in (1, 2) for split in ("train", "val")]
    store.commit(GUIDED.id, [*rows, row(GUIDED, 1, "test", seconds=8.0)])
    for reader in (store, Store(tmp_path)):  # one sweep, or all of a store
        known = epoch_seconds(reader.timings())
        assert list(known.values()) == [10.0]  # 20 s for 2 epochs
    other_lambda, other_size = like(GUIDED, lambda_loc=7.0, epochs=5), like(GUIDED, image_size=448)
    found = cost([other_lambda, other_size, like(GUIDED, backbone="resnet18")], known)
    assert found.trials == {"store": 1, "published": 1, "unknown": 1}
    assert found.seconds["store"] == 50.0
    assert found.seconds["published"] == pytest.approx(4 * cost([GUIDED], {}).total)
    store.compact(prune=True)
    assert epoch_seconds(Store(tmp_path).timings()) == known


def test_what_an_interrupted_trial_has_trained_is_not_ahead(tmp_path: Path) -> None:
    store, other = Store(tmp_path / "demo"), like(GUIDED, lambda_loc=7.0)
    store.save(GUIDED.id, b"", [row(GUIDED, epoch, "val", seconds=3.0) for epoch in (1, 2, 3)])
    assert store.reached() == {GUIDED.id: 3}
    whole = cost([GUIDED], {}).total
    assert cost([GUIDED, other], {}, store.reached()).total == pytest.approx(whole * (1 + 47 / 50))
    assert next(iter(forecast([GUIDED], [], Resources(gpu=10), {GUIDED.id: 25}))) == "about 5.6 GPU hours to run"
    store.commit(GUIDED.id, [row(GUIDED)])
    assert store.reached() == {}


def test_a_probe_that_is_added_trains_nothing_again(tmp_path: Path) -> None:
    store, more = Store(tmp_path / "demo"), GUIDED.model_copy(update={"probes": (Probe("bcos", "final"),)})
    store.commit(GUIDED.id, [row(GUIDED, seconds=3.0)])
    safe = reached([more, BASELINE], store)
    assert safe == {GUIDED.id: GUIDED.epochs}
    (told,) = forecast([more], store.timings(), Resources(), safe)
    assert told == "  1 trials are trained; of them only what is not measured yet is ahead"
    both = list(forecast([more, BASELINE], store.timings(), Resources(), safe))
    assert both[0] == next(iter(forecast([BASELINE], [], Resources())))


def test_every_depth_of_every_published_model_has_a_bound() -> None:
    for model in ("vanilla", "bcos", "xdnn"):
        taken = {
            depth: cost([like(GUIDED, model=model, attribution="ixg", depth=depth)], {}).total
            for depth in ("input", "mid1", "mid2", "mid3", "final")
        }
        assert taken["input"] >= taken["mid1"] >= taken["mid2"] >= taken["mid3"] >= taken["final"] > 0
    assert {at for depths in MEASURED_AT.values() for at in depths} <= {depth for _, depth in PUBLISHED}


def test_both_tasks_on_birds_have_a_published_estimate() -> None:
    trials = load(ROOT / "sweeps/waterbirds.yaml").trials
    assert {trial.dataset for trial in trials} == {"waterbirds", "waterbirds_reversed"}
    assert cost(trials, {}).trials["published"] == len(trials)


def test_a_data_set_of_unknown_size_has_no_published_estimate() -> None:
    assert "shapes" not in IMAGES
    assert cost([like(GUIDED, dataset="shapes")], {}).trials["unknown"] == 1


def test_half_a_gpu_is_half_the_gpu_hours() -> None:
    whole, half = (next(iter(forecast([GUIDED], [], Resources(gpu=gpu)))) for gpu in (1, 0.5))
    assert (whole, half) == ("about 1.1 GPU hours to run", "about 0.6 GPU hours to run")
    assert list(forecast([], [], Resources())) == []
    assert "A100, tests at the end left out (github.com/" in list(forecast([GUIDED], [], Resources()))[1]


def test_what_a_search_chose_is_still_in_its_file(tmp_path: Path) -> None:
    file, store = tmp_path / "demo.yaml", Store(tmp_path / "demo")
    space = "{attribution: bcos, depth: input, loss: energy, lambda_loc: {log: [0.1, 10]}}"
    text = "common: {dataset: shapes, model: bcos}\nsearch: {space: %s, budget: {trials: 4}}"
    file.write_text(text % space)
    plan = load(file)
    assert plan.space
    chosen = [trial for number in (0.2, 0.4) if (trial := plan.space.trial({"lambda_loc": number}))]
    store.begin("old", [*plan.trials, *chosen])
    assert len(store.planned()) == 3
    assert list(orphans(plan, store)) == []
    file.write_text(text % space.replace("log: [0.1", "log: [1"))
    assert list(orphans(load(file), store)) == [
        f"2 trials in the store are no longer in the file (0 of them done): {chosen[0].id}, {chosen[1].id}"
    ]


def test_what_the_file_no_longer_asks_for_is_named(tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    file.write_text("grids: [{dataset: shapes, model: bcos, seed: [0, 1]}]")
    plan = load(file)
    store = Store(tmp_path / "demo")
    store.begin("old", plan.trials)
    assert list(orphans(plan, store)) == []
    gone = plan.trials[1]
    store.commit(gone.id, [row(gone)])
    file.write_text("grids: [{dataset: shapes, model: bcos}]")
    assert list(orphans(load(file), store)) == [
        f"1 trials in the store are no longer in the file (1 of them done): {gone.id}"
    ]

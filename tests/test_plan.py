"""Sweep files: what they expand to, and what is said about mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from mgsweep.errors import InvalidInput
from mgsweep.plan import Plan, load
from mgsweep.plan.schema import Sweep
from mgsweep.trial import Probe

SWEEPS = Path(__file__).parents[1] / "sweeps"

HEAD = "common: {dataset: shapes, backbone: resnet10, epochs: 2}\n"


@pytest.fixture
def plan(tmp_path: Path) -> Any:
    """Load a sweep given as text."""

    def load_text(text: str, *overrides: str, only: tuple[str, ...] = ()) -> Plan:
        file = tmp_path / "sweep.yaml"
        file.write_text(text)
        return load(file, overrides, only)

    return load_text


def values(plan: Plan, *fields: str) -> list[Any]:
    """The values of these fields over the guided trials."""
    rows = [tuple(getattr(trial, field) for field in fields) for trial in plan.guided]
    return [row[0] for row in rows] if len(fields) == 1 else rows


# The shipped sweeps


def test_the_full_grid_is_the_papers() -> None:
    full = load(SWEEPS / "full_grid.yaml")
    assert (len(full.guided), len(full.baselines), full.skipped) == (144, 6, {})
    axes = {field: {getattr(trial, field) for trial in full.guided} for field in ("dataset", "model", "depth", "loss")}
    assert axes == {
        "dataset": {"voc2007", "coco2014"},
        "model": {"vanilla", "xdnn", "bcos"},
        "depth": {"input", "final"},
        "loss": {"energy", "l1", "ppce", "rrr"},
    }
    assert {(t.dataset, t.epochs) for t in full.baselines} == {("voc2007", 300), ("coco2014", 60)}
    assert {(t.dataset, t.epochs) for t in full.guided} == {("voc2007", 50), ("coco2014", 10)}
    rrr = {t.lambda_loc for t in full.guided if t.loss == "rrr"}
    assert rrr == {5e-6, 1e-5, 5e-5}


@pytest.mark.parametrize("file", sorted(SWEEPS.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_sweeps_plan_clean_and_fit_the_schema(file: Path) -> None:
    assert load(file).trials
    schema = json.loads((SWEEPS / "sweep.schema.json").read_text())
    jsonschema.validate(YAML(typ="safe").load(file), schema)
    assert file.read_text().startswith("# yaml-language-server: $schema=sweep.schema.json")


def test_the_shipped_schema_is_todays() -> None:
    assert json.loads((SWEEPS / "sweep.schema.json").read_text()) == Sweep.model_json_schema()


def test_planning_imports_neither_torch_nor_ray() -> None:
    code = f"import sys; from mgsweep.plan import load; load({str(SWEEPS / 'full_grid.yaml')!r});" + (
        "print([name for name in ('torch', 'ray', 'optuna', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


# Expansion


def test_product_of_scalars_lists_and_ranges(plan: Any) -> None:
    made = plan(
        HEAD
        + """
grids:
  - {model: bcos, attribution: bcos, loss: energy, depth: [input, final], lambda_loc: {geomspace: [1e-4, 1e-2, 3]},
     seed: {range: [0, 2]}, bbox_fraction: {linspace: [0.5, 1, 2]}}
"""
    )
    assert len(made.guided) == 2 * 3 * 2 * 2
    assert len(made.baselines) == 2  # one for each seed
    assert sorted(set(values(made, "lambda_loc"))) == [1e-4, 1e-3, 1e-2]
    assert set(values(made, "bbox_fraction")) == {0.5, 1.0}


def test_grids_are_united_and_repeats_removed(plan: Any) -> None:
    grid = "  - {model: bcos, attribution: bcos, loss: energy, depth: input, lambda_loc: [%s]}\n"
    made = plan(HEAD + "grids:\n" + grid % "1, 2" + grid % "2.0, 3e0, 3")
    assert values(made, "lambda_loc") == [1, 2, 3]
    assert len(made.baselines) == 1


def test_zip_moves_axes_together(plan: Any) -> None:
    made = plan(
        HEAD
        + """
grids:
  - zip: [{model: [vanilla, bcos], attribution: [ixg, bcos]}]
    loss: energy
    depth: [input, final]
    lambda_loc: 1
"""
    )
    assert set(values(made, "model", "attribution")) == {("vanilla", "ixg"), ("bcos", "bcos")}
    assert len(made.guided) == 4


def test_lambdas_per_loss(plan: Any) -> None:
    made = plan(
        HEAD
        + """
grids:
  - {model: bcos, attribution: bcos, depth: input, loss: [Energy, "RRR*"], lambda_loc: {energy: [1, 2], RRR*: 1e-5}}
"""
    )
    assert values(made, "loss", "lambda_loc") == [("energy", 1), ("energy", 2), ("rrr", 1e-5)]


def test_conditions_and_exclusions(plan: Any) -> None:
    made = plan(
        HEAD
        + """
grids:
  - model: bcos
    attribution: bcos
    depth: [input, final]
    loss: [energy, l1]
    lambda_loc: 1
    when:
      - if: {loss: l1}
        then: {lambda_loc: [5, 6], bbox_fraction: 0.1}
    exclude:
      - {loss: energy, depth: final}
      - {lambda_loc: 6, depth: input}
"""
    )
    assert values(made, "depth", "loss", "lambda_loc", "bbox_fraction") == [
        ("input", "energy", 1, 1),
        ("input", "l1", 5, 0.1),
        ("final", "l1", 5, 0.1),
        ("final", "l1", 6, 0.1),
    ]


def test_a_condition_sees_what_the_ones_before_it_made(plan: Any) -> None:
    made = plan(
        HEAD
        + """
grids:
  - model: bcos
    attribution: bcos
    depth: input
    loss: [energy, l1]
    lambda_loc: {energy: 1, l1: [2, 3]}
    when:
      - if: {loss: l1}
        then: {bbox_fraction: [0.1, 1]}
      - if: {bbox_fraction: 0.1}
        then: {lambda_loc: 9}
"""
    )
    assert values(made, "loss", "bbox_fraction", "lambda_loc") == [
        ("energy", 1, 1), ("l1", 0.1, 9), ("l1", 1, 2), ("l1", 1, 3),
    ]  # fmt: skip


def test_lambdas_of_each_loss_in_conditions_and_exclusions(plan: Any) -> None:
    made = plan(
        HEAD
        + """
grids:
  - model: bcos
    attribution: bcos
    depth: input
    loss: [energy, l1, rrr]
    bbox_fraction: [0.1, 1]
    lambda_loc: {energy: 1, l1: 2, rrr: 3}
    when:
      - if: {bbox_fraction: 0.1}
        then: {lambda_loc: {energy: [5, 6], l1: 7}}
      - if: {lambda_loc: {l1: 7, energy: 2}}
        then: {bbox_dilation: 0.5}
    exclude:
      - {lambda_loc: {energy: [6, 7], rrr: 1}}
"""
    )
    assert values(made, "loss", "bbox_fraction", "lambda_loc", "bbox_dilation") == [
        ("energy", 0.1, 5, 0), ("energy", 1, 1, 0),
        ("l1", 0.1, 7, 0.5), ("l1", 1, 2, 0),
        ("rrr", 0.1, 3, 0), ("rrr", 1, 3, 0),
    ]  # fmt: skip


def test_lambdas_of_each_loss_move_with_no_other_axis(plan: Any) -> None:
    (said,) = mistakes(
        plan,
        HEAD + "grids: [{model: bcos, attribution: bcos, depth: input, loss: [energy, l1],"
        " zip: [{lambda_loc: {energy: 1, l1: 2}, bbox_fraction: [0.1, 1]}]}]",
    )
    assert "grids[0].zip[0].lambda_loc: lambdas of each loss move with no other axis" in said


def test_stages_differ_and_share_baselines(plan: Any) -> None:
    made = plan(
        """
common: {dataset: shapes, backbone: resnet10, learning_rate: 1e-3}
baseline: {epochs: 9}
guided: {epochs: 4, learning_rate: 1e-4}
grids:
  - {model: [vanilla, xdnn], attribution: ixg, depth: input, loss: energy, lambda_loc: [1, 2], bbox_fraction: [0.1, 1]}
  - {model: xdnn, attribution: ixg, depth: input, loss: l1, lambda_loc: 1, baseline: {epochs: 5}}
"""
    )
    assert [(t.model, t.epochs, t.learning_rate) for t in made.baselines] == [
        ("vanilla", 9, 1e-3), ("xdnn", 9, 1e-3), ("xdnn", 5, 1e-3),
    ]  # fmt: skip
    assert {(t.epochs, t.learning_rate) for t in made.guided} == {(4, 1e-4)}
    ids = [trial.id for trial in made.trials]
    assert all(ids.index(trial.parent) < ids.index(trial.id) for trial in made.guided)


def test_baselines_are_measured_wherever_a_child_is(plan: Any) -> None:
    text = """
probes: [{attribution: GradCam, depth: Final}]
grids:
  - {model: [vanilla, xdnn], attribution: [ixg, intgrad], depth: [input, mid2], loss: energy, lambda_loc: 1}
"""
    made = plan(HEAD + text)
    assert made.skipped == {
        "intgrad needs a homogeneous network, where one gradient gives the exact integral; "
        "vanilla has biases and normalisation": 2
    }
    probes = {trial.model: set(trial.measured) for trial in made.baselines}
    gradcam = Probe("gradcam", "final")
    assert probes["vanilla"] == {Probe("ixg", "input"), Probe("ixg", "mid2"), gradcam}
    assert probes["xdnn"] == probes["vanilla"] | {Probe("intgrad", "input"), Probe("intgrad", "mid2")}
    assert all(trial.measured[-1] == gradcam for trial in made.guided)


def test_a_probe_only_some_models_can_use(plan: Any) -> None:
    made = plan(
        HEAD
        + """
probes: [{attribution: bcos, depth: input}]
grids: [{model: [vanilla, bcos], attribution: ixg, depth: input, loss: energy, lambda_loc: 1}]
"""
    )
    assert {t.model: len(t.measured) for t in made.guided} == {"vanilla": 1, "bcos": 2}


def test_asking_for_more_keeps_every_id(plan: Any) -> None:
    """Extending a sweep never retrains: not by another lambda, nor another depth, nor another probe."""
    text = "grids: [{model: bcos, attribution: bcos, depth: [%s], loss: energy, lambda_loc: [%s]}]\n%s"
    before = plan(HEAD + text % ("input", "1", ""))
    after = plan(HEAD + text % ("input, final", "1, 2", "probes: [{attribution: ixg, depth: mid1}]"))
    assert {trial.id for trial in before.trials} < {trial.id for trial in after.trials}


def test_a_baseline_alone(plan: Any) -> None:
    made = plan(
        HEAD + "grids: [{model: bcos, loss: none, learning_rate: [1e-3, 1e-4], attribution: bcos, depth: final}]"
    )
    assert [(t.learning_rate, t.measured) for t in made.trials] == [
        (1e-3, (Probe("bcos", "final"),)), (1e-4, (Probe("bcos", "final"),)),
    ]  # fmt: skip


def test_data_folders_are_relative_to_the_sweep_file(
    plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISK", "/disk")
    made = plan("data: {voc2007: $DISK/voc, VOC 2007: ../voc}\n" + HEAD + "grids: [{model: bcos}]")
    assert made.data == {"voc2007": (tmp_path.parent / "voc").resolve()}


# From the command line

GRID = """
common: {dataset: shapes, backbone: resnet10}
baseline: {epochs: 9}
guided: {epochs: 4}
grids: [{model: [vanilla, xdnn], attribution: ixg, depth: [input, final], loss: energy, lambda_loc: [1, 2]}]
"""


def test_set_overrides_a_key_everywhere(plan: Any) -> None:
    made = plan(GRID, "epochs=1", "lambda_loc=1e-3,0.5", "resources.gpu=0.5")
    assert {trial.epochs for trial in made.trials} == {1}
    assert set(values(made, "lambda_loc")) == {1e-3, 0.5}
    assert made.resources.gpu == 0.5


def test_set_writes_one_value_where_there_may_be_more(plan: Any) -> None:
    at, per = "early_stop.at=2", "early_stop.per=loss"
    assert plan(GRID, at, per).early_stop == plan("early_stop: {at: [2], per: [loss]}\n" + GRID).early_stop
    assert plan(GRID, "early_stop.at=2,3").early_stop.at == [2, 3]


def test_only_keeps_trials_and_their_baselines(plan: Any) -> None:
    made = plan(GRID, only=("model=X-DNN", "lambda_loc=2", "depth=input,final"))
    assert set(values(made, "model", "lambda_loc")) == {("xdnn", 2)}
    assert [trial.model for trial in made.baselines] == ["xdnn"]
    assert len(made.guided) == 2


@pytest.mark.parametrize(
    ("overrides", "only", "said"),
    [
        (["epochs"], (), "--set: expected key=value"),
        (["epoch=3"], (), "--set: unknown key 'epoch'; did you mean 'epochs'?"),
        (["lr=1"], (), "--set: unknown key 'lr'; did you mean 'learning_rate'?"),
        (["epochs=many"], (), "--set epochs=many: expected a whole number, got 'many'"),
        (["epochs=1,many"], (), "--set epochs=1,many: expected a whole number, got 'many'"),
        (["loss=enrgy"], (), "--set loss=enrgy: unknown loss 'enrgy'; did you mean 'energy'?"),
        (["lambda_loc=0"], (), "--set lambda_loc=0: expected a number > 0"),
        (["resources.gpu=x"], (), "--set resources.gpu=x: expected a number, got 'x'"),
        (["search.space.loss=1"], (), "--set search.space.loss=1: expected text, got 1"),
        (["resource.gpu=1"], (), "--set resource.gpu=1: unknown key; did you mean 'resources'?"),
        (["search.bogus.x=1"], (), "--set search.bogus.x=1: unknown key"),
        (["early_stop.at=soon"], (), "--set early_stop.at=soon: expected a whole number, got 'soon'"),
        ([], ("modle=xdnn",), "--only: unknown key 'modle'; did you mean 'model'?"),
        ([], ("model=bcoss",), "--only: unknown model 'bcoss'; did you mean 'bcos'?"),
        ([], ("guidance_source=msk",), "--only: unknown guidance_source 'msk'; did you mean 'mask'?"),
        ([], ("dataset=shape,shapes",), "--only: unknown dataset 'shape'; did you mean 'shapes'?"),
        ([], ("model=bcos",), "--only: no trial of the sweep has these values"),
    ],
)
def test_wrong_arguments(plan: Any, overrides: list[str], only: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(GRID, *overrides, only=only)
    assert said in str(caught.value)


def test_only_what_was_set_is_blamed_on_set(plan: Any) -> None:
    grid = "{model: bcos, attribution: bcos, depth: final, loss: l1, lambda_loc: 1, exclude: [{loss: enrgy}]}"
    with pytest.raises(InvalidInput, match=r"sweep.yaml:3: grids.0..exclude.0..loss: unknown loss 'enrgy'"):
        plan(HEAD + f"grids:\n  - {grid}", "loss=energy")


def test_what_the_file_says_is_not_blamed_on_what_was_set_in_the_same_section(plan: Any) -> None:
    with pytest.raises(InvalidInput, match=r"sweep.yaml:1: resources.gpus: unknown key; did you mean 'gpu'"):
        plan("resources: {gpus: 1}\n" + GRID, "resources.cpu=2")


def test_what_was_set_of_a_search_space_is_blamed_on_set(plan: Any) -> None:
    space = "{model: bcos, attribution: bcos, depth: input, loss: l1, lambda_loc: 1}"
    with pytest.raises(InvalidInput, match="^--set attribution=intgrad: intgrad makes no trial"):
        plan(HEAD + f"search:\n  budget: {{trials: 3}}\n  space: {space}\n", "attribution=intgrad")


def test_a_mistake_in_a_scale_is_where_the_scale_stands(plan: Any, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("common: {dataset: shapes, backbone: resnet10}\nscales:\n  smoke: {backbone: resnt}\n"
                    "grids: [{model: bcos}]")  # fmt: skip
    with pytest.raises(InvalidInput, match=r"sweep.yaml:3: scales.smoke.backbone: unknown backbone 'resnt'"):
        load(file, scale="smoke")


def test_set_refuses_what_is_tied(plan: Any) -> None:
    with pytest.raises(InvalidInput, match="tied to other axes"):
        plan(HEAD + "grids: [{zip: [{model: [bcos], attribution: [bcos]}], loss: none}]", "model=xdnn")


# Mistakes


def mistakes(plan: Any, text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        plan(text)
    assert caught.value.exit_code == 2
    return [str(problem).partition("sweep.yaml:")[2] for problem in caught.value.problems]


def test_every_mistake_is_reported_at_once_with_its_line(plan: Any) -> None:
    assert mistakes(
        plan,
        """nam: x
common:
  dataset: shapes
  epochs: 3.5
  learning_rate: "1e-3"
  bbox_fraction: [0.1, 0, 2]
  bbox_dilation: .nan
baseline: {lamda: 3}
grids:
  - model: [vanilla, bcos]
    attribution: ixg
    lambda_loc: {energy: [1e-3, -1]}
    when:
      - if: {loss: energy}
        than: {depth: input}
  - 3
""",
    ) == [
        "1: nam: unknown key; did you mean 'name'?",
        "4: common.epochs: expected a whole number, got 3.5",
        "5: common.learning_rate: expected a number, got '1e-3'; write it without quotes",
        "6: common.bbox_fraction[1]: expected a number > 0, got 0.0",
        "6: common.bbox_fraction[2]: expected a number <= 1, got 2",
        "7: common.bbox_dilation: expected a finite number, got nan",
        "8: baseline.lamda: unknown key; did you mean 'lambda_loc'?",
        "12: grids[0].lambda_loc.energy[1]: expected a number >= 0, got -1",
        "14: grids[0].when[0].then: missing",
        "15: grids[0].when[0].than: unknown key; did you mean 'then'?",
        "16: grids[1]: expected a mapping, got 3",
    ]


def test_misspelt_names_are_guessed(plan: Any) -> None:
    found = mistakes(
        plan,
        """common: {dataset: shape}
grids:
  - model: [vanila, bcos]
    loss: Enrgy
    lambda_loc: {l2: 4}
    exclude: [{depth: finl}]
""",
    )
    assert [line.partition(" (known")[0] for line in found] == [
        "1: common.dataset: unknown dataset 'shape'; did you mean 'shapes'?",
        "3: grids[0].model: unknown model 'vanila'; did you mean 'vanilla'?",
        "4: grids[0].loss: unknown loss 'enrgy'; did you mean 'energy'?",
        "5: grids[0].lambda_loc.loss: unknown loss 'l2'",
        "6: grids[0].exclude[0].depth: unknown depth 'finl'; did you mean 'final'?",
    ]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ("model: bcos, loss: energy, attribution: bcos, depth: input", "lambda_loc: expected a number > 0, got 0"),
        ("model: bcos, loss: energy, attribution: bcos, depth: input, lambda_loc: 0",
         "for an unguided trial write loss: none"),
        ("model: bcos, loss: energy, depth: input, lambda_loc: 1", "attribution: missing"),
        ("model: bcos, loss: energy, attribution: gradcam, depth: [input, final], lambda_loc: 1",
         "depth: input makes no trial: gradcam needs feature maps"),
        ("model: vanilla, loss: energy, attribution: bcos, depth: input, lambda_loc: 1",
         "attribution: bcos makes no trial: bcos needs a dynamic-linear network"),
        ("loss: energy, attribution: bcos, depth: input, lambda_loc: 1", "model: missing"),
        ("model: [], loss: none", "expected at least one value, got none"),
        ("model: bcos, loss: none, seed: {range: [0]}", "expected at least one value"),
        ("model: bcos, loss: none, seed: {rang: [0, 2]}", "expected a value, a list of values or a range"),
        ("model: bcos, loss: none, seed: {range: [a, b]}", "expected range: [start, stop]"),
        ("model: bcos, zip: [{seed: [0, 1], depth: [input]}]", "equal length: depth has 1, seed has 2"),
        ("model: bcos, parent: abc", "unknown key"),
        ("model: bcos, lr: 1e-3", "lr: unknown key; did you mean 'learning_rate'?"),
        ("model: bcos, guided: {seed: 1}", "guided.seed: a field of trials; write it under common, or in a grid"),
        ("model: vanilla, loss: energy, attribution: ixg, depth: input, lambda_loc: 1, guidance_source: mask,"
         " dataset: waterbirds",
         "waterbirds has no segmentation masks"),
    ],
)  # fmt: skip
def test_wrong_grids(plan: Any, grid: str, said: str) -> None:
    found = mistakes(plan, HEAD + f"grids:\n  - {{{grid}}}\n")
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a mapping with the key grids, got nothing"),
        ("- a\n- b\n", "expected a mapping"),
        ("a: [1, 2\n", "not valid YAML"),
        ("name: x\nname: y\ngrids: []\n", "not valid YAML: found duplicate key"),
        ("common: {dataset: shapes}\n", "grids: missing"),
        ("grids: []\n", "expected at least one value"),
        ("dataset: shapes\ngrids: [{model: bcos}]\n", "1: dataset: a field of trials; write it under common, or in a"),
        ("root: x\ngrids: [{model: bcos, dataset: shapes}]\n", "root: not a key of this section, though of another"),
        (
            "resources: {checkpoint_stages: 3}\ngrids: [{model: bcos, dataset: shapes}]\n",
            "expected true or false, got 3",
        ),
        ("name: ../../etc\ngrids: [{model: bcos, dataset: shapes}]\n", "name: expected up to 64 letters"),
        ("resources: {gpu: -1}\ngrids: [{model: bcos, dataset: shapes}]\n", "resources.gpu: expected a number >= 0"),
        ("grids: [{model: bcos, dataset: shapes}]\nprobes: [{attribution: ixg}]\n", "probes[0].depth: missing"),
        ("grids: [{model: bcos, dataset: shapes}]\nprobes: [{attribution: ix, depth: input}]\n", "unknown attribution"),
        ("grids: [{model: vanilla, dataset: shapes}]\nprobes: [{attribution: bcos, depth: input}]\n", "fits no model"),
        (
            "common: {epochs: [1, 2]}\ngrids: [{model: bcos, dataset: shapes}]\n",
            "say which one the baselines train with",
        ),
    ],
)
def test_wrong_files(plan: Any, text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(("epochs", "hint"), [("one", ""), ("'3'", "; write it without quotes")])
def test_only_a_number_in_quotes_is_told_to_lose_them(plan: Any, epochs: str, hint: str) -> None:
    (problem,) = mistakes(plan, HEAD + f"grids: [{{model: bcos, epochs: [{epochs}]}}]")
    assert problem.endswith(epochs.strip("'") + f"'{hint}")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere.yaml: cannot read the sweep file: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_numbers_as_people_write_them(plan: Any) -> None:
    """YAML 1.2: 1e-3 is a number, no is a word."""
    made = plan(
        HEAD + "grids: [{model: bcos, attribution: bcos, depth: input, loss: l1, lambda_loc: [1e-3, 1.0e-3, .001]}]"
    )
    assert values(made, "lambda_loc") == [0.001]
    with pytest.raises(InvalidInput, match="unknown loss 'no'"):
        plan(HEAD + "grids: [{model: bcos, loss: no}]")


@pytest.mark.parametrize(("file", "name"), [("mine.yaml", "mine"), ("pets/sweep.yaml", "pets")])
def test_a_sweep_without_a_name_is_called_like_its_file(tmp_path: Path, file: str, name: str) -> None:
    """The copy that a store keeps is called sweep.yaml: run from there, it goes on in its own folder."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("grids: [{dataset: shapes, model: vanilla, loss: none}]")
    assert load(path).name == name

"""Bad input by number: exit 2, one message that says what to do, nothing written. B33 to B60 are with the data sets."""

from __future__ import annotations

import ast
import csv
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import voc_folder
from test_store import BASELINE, GUIDED, row

from mgsweep import cli
from mgsweep.errors import InvalidInput
from mgsweep.plan import load
from mgsweep.plan.schema import Resources
from mgsweep.runner import cluster, connection
from mgsweep.screen import show
from mgsweep.store import Store
from mgsweep.store.columns import SCHEMA
from mgsweep.trial import Trial

ROOT = Path(__file__).parents[1]
COMMON = "common: {dataset: shapes, image_size: 32, epochs: 1}\n"

Refused = Callable[..., str]


def grid(lambdas: object) -> str:
    return COMMON + f"grids: [{{model: bcos, attribution: bcos, depth: input, loss: energy, lambda_loc: {lambdas}}}]\n"


def baselines(seeds: object) -> str:
    return COMMON + f"grids: [{{model: bcos, seed: {seeds}}}]\n"


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Run a sweep file that must be refused, or another command; returns what was said."""
    monkeypatch.setenv("MGSWEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")

    def refuse(text: str | bytes | None, *command: object) -> str:
        file = tmp_path / "sweep.yaml"
        if text is not None:
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        before = sorted(tmp_path.rglob("*"))
        arguments = list(map(str, command or ("run", file, "--local", "--store", tmp_path / "results")))
        monkeypatch.setattr(sys, "argv", ["mgsweep", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr().err
        assert ended.value.code == 2, said
        assert said.startswith(("error ", "2 errors", "3 errors", "4 errors", "5 errors"))
        assert "Traceback" not in said
        assert sorted(tmp_path.rglob("*")) == before
        return said.replace("\n", " ")

    return refuse


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[str | bytes], list[Trial]]:
    def plan(text: str | bytes) -> list[Trial]:
        file = tmp_path / "sweep.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return list(load(file).trials)

    return plan


Planned = Callable[[str | bytes], list[Trial]]


# The sweep file


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "+1e-3", ".001", "1.0e-3"])
def test_b01_numbers_without_a_dot_are_numbers(planned: Planned, number: str) -> None:
    assert planned(grid(number))[1].lambda_loc == 0.001


def test_b02_a_key_that_stands_twice(refused: Refused) -> None:
    said = refused("name: a\nname: b\n" + grid(1))
    assert 'sweep.yaml:2: not valid YAML: found duplicate key "name" with value "b" (original value: "a")' in said


@pytest.mark.parametrize("word", ["no", "off", "on", "yes"])
def test_b03_words_are_words(refused: Refused, word: str) -> None:
    assert f"unknown loss {word!r}" in refused(COMMON + f"grids: [{{model: bcos, loss: {word}}}]")
    assert "expected text, got True" in refused("name: true\n" + grid(1))


def test_b04_numbers_are_yaml_1_2(planned: Planned, refused: Refused) -> None:
    assert [trial.seed for trial in planned(baselines("[012, 1_0, 0o17]"))] == [12, 10, 15]
    assert "expected a whole number, got '1:30'" in refused(baselines("1:30"))
    assert "expected a whole number, got datetime.date(2024, 1, 1)" in refused(baselines("2024-01-01"))


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_b05_no_number(refused: Refused, number: str) -> None:
    assert "lambda_loc: expected a finite number" in refused(grid(number))


def test_b06_numbers_out_of_range_are_all_named(refused: Refused) -> None:
    said = refused(
        COMMON + "baseline: {epochs: 0, learning_rate: 0}\n"
        "grids: [{model: bcos, attribution: bcos, depth: input, loss: l1, lambda_loc: -1, bbox_fraction: [0, 1.5]}]"
    )
    assert said.startswith("5 errors")
    for key in ("epochs: expected a number >= 1", "learning_rate: expected a number > 0", "lambda_loc: expected",
                "bbox_fraction[0]: expected a number > 0", "bbox_fraction[1]: expected a number <= 1"):  # fmt: skip
        assert key in said
    assert "lambda_loc: expected a number > 0, got 0" in refused(grid(0))


def test_b07_a_tag_runs_nothing(refused: Refused, tmp_path: Path) -> None:
    tag = f"!!python/object/apply:os.system ['touch {tmp_path}/ran']\n"
    assert "description: expected text" in refused(f"description: {tag}" + grid(1))
    assert "expected a mapping with the key grids, got a list" in refused(tag)


def test_b08_aliases_of_aliases(refused: Refused, planned: Planned) -> None:
    text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    for number in range(1, 9):
        text += f"a{number}: &a{number} [{','.join([f'*a{number - 1}'] * 9)}]\n"
    assert len(text) < 500
    assert "stands for more than 100000 values" in refused(text + grid(1))
    assert len(planned(COMMON + "grids:\n- &one {model: bcos}\n- *one\n")) == 1  # a plain alias is well


def test_b09_nested_too_deeply(refused: Refused) -> None:
    assert "nested too deeply" in refused(grid("[" * 600 + "]" * 600))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n"])
def test_b10_an_empty_file(refused: Refused, text: str) -> None:
    assert "expected a mapping with the key grids, got nothing" in refused(text)


@pytest.mark.parametrize(("text", "got"), [("- a\n- b\n", "a list"), ("hello", "a str"), ("3", "a int")])
def test_b11_no_mapping(refused: Refused, text: str, got: str) -> None:
    assert f"expected a mapping with the key grids, got {got}" in refused(text)


def test_b12_an_unknown_key(refused: Refused) -> None:
    said = refused(grid(1).replace("lambda_loc", "lamda_loc"))
    assert "grids[0].lamda_loc: unknown key; did you mean 'lambda_loc'?" in said


def test_b13_a_missing_key(refused: Refused) -> None:
    assert "grids: missing" in refused(COMMON)
    assert "model: missing" in refused(COMMON + "grids: [{loss: none}]")


def test_b14_a_wrong_type(refused: Refused) -> None:
    assert "resources: expected a mapping, got [1]" in refused("resources: [1]\n" + grid(1))
    assert "name: expected text, got ['a']" in refused("name: [a]\n" + grid(1))
    for nested in ("[[1]]", "{energy: [{a: 1}]}"):
        assert "a list within a list" in refused(grid(nested))
    for no_range in ("{linspace: 3}", "{linspace: [1, 2]}", "{linspace: {a: 1}}"):
        assert "expected linspace: [first, last, count]" in refused(grid(no_range))


def test_b15_an_axis_without_values(refused: Refused) -> None:
    assert "lambda_loc: expected at least one value" in refused(grid("[]"))


def test_b16_a_value_that_stands_twice_is_one(planned: Planned) -> None:
    assert len(planned(grid("[0.1, 1e-1, .1]"))) == 2


@pytest.mark.parametrize("seeds", ["{range: [0, 1001000]}", "{linspace: [0, 1, 10000000000]}"])
def test_b17_more_trials_than_anyone_means(refused: Refused, seeds: str) -> None:
    assert "at most 1,000,000 values" in refused(baselines(seeds))
    assert "expected range: [start, stop]" in refused(baselines(f"{{range: [0, {10**30}]}}"))
    product = grid("{linspace: [1, 2, 1001]}, seed: {range: [0, 1000]}")
    assert "it has 1,001,000 cells; a sweep may have 1,000,000" in refused(product)


def test_b18_what_cannot_stand_together(refused: Refused) -> None:
    assert "attribution: missing: the guidance loss" in refused(grid(1).replace("attribution: bcos,", ""))
    assert "input makes no trial: gradcam needs" in refused(
        grid(1).replace("attribution: bcos", "attribution: gradcam")
    )


def test_b18_what_some_cells_lose_is_counted_by_reason(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        grid(1).replace("model: bcos, attribution: bcos", "model: [bcos, vanilla], attribution: [bcos, ixg]")
    )
    ((reason, count),) = load(file).skipped.items()
    assert reason.startswith("bcos needs a dynamic-linear network")
    assert count == 1


def test_b19_encodings(refused: Refused, planned: Planned) -> None:
    text = grid(1)
    assert planned(text.replace("\n", "\r\n")) == planned("\ufeff" + text) == planned(text)
    assert "sweep.yaml:2: not valid YAML: found character '\\t'" in refused("common:\n\tdataset: shapes\n")
    for content in (text.encode("utf-16"), b"description: caf\xe9\n" + text.encode(), b'description: "a\0b"\n'):
        assert "cannot read the sweep file" in refused(content)


def test_b20_a_file_too_large(refused: Refused) -> None:
    assert "got one of 1,048,577 bytes" in refused(b"#" * (2**20 + 1))


def test_b21_two_documents(refused: Refused) -> None:
    assert "found another document" in refused(grid(1) + "---\n" + grid(2))


def test_b22_paths_know_home_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEWHERE", "/mnt/data")
    monkeypatch.setenv("HOME", "/home/me")
    file = tmp_path / "sweep.yaml"
    file.write_text("data: {voc2007: $SOMEWHERE/voc, coco2014: ~/coco, waterbirds: here}\n" + grid(1))
    assert load(file).data == {
        "voc2007": Path("/mnt/data/voc"), "coco2014": Path("/home/me/coco"), "waterbirds": tmp_path / "here",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../../etc/x", "/etc/x", "", ".", "..", "a" * 65, "a\\nb", "😀", "-x", "a/b", "a b", "a\\0b", "x\\n"]
)
def test_b23_a_name_that_is_no_folder(refused: Refused, name: str) -> None:
    assert "name: expected up to 64 letters" in refused(f'name: "{name}"\n' + grid(1))


def test_b24_names_that_differ_only_in_case(refused: Refused, tmp_path: Path) -> None:
    Store(tmp_path / "results" / "Demo").begin("", [BASELINE])
    assert "there are results of a sweep 'Demo' here" in refused("name: demo\n" + baselines(0))
    Store(tmp_path / "results" / "Demo").begin("", [GUIDED])


def test_b25_a_changed_file_extends_the_plan_and_keeps_what_is_done(tmp_path: Path) -> None:
    """A departure from the matrix: to change a file and run it again is what it is for; identity is by content."""
    store = Store(tmp_path / "demo")
    store.begin("old", [BASELINE])
    store.begin("new", [GUIDED])
    assert {trial.id for trial in store.planned()} == {BASELINE.id, GUIDED.id}


# Command line and cluster


def test_b26_a_file_that_is_none(refused: Refused, tmp_path: Path) -> None:
    assert "nowhere.yaml: cannot read the sweep file: No such file" in refused(None, "run", tmp_path / "nowhere.yaml")
    assert "expected a sweep file, got a folder" in refused(None, "run", tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "something else that is no file" in refused(None, "run", tmp_path / "pipe.yaml")


def test_b26_a_file_that_may_not_be_read(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path, **options: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", forbidden)  # root may read everything
    assert "cannot read the sweep file: Permission denied" in refused(grid(1))


@pytest.mark.parametrize("below", ["", "results"])
def test_b27_results_among_the_data(refused: Refused, tmp_path: Path, below: str) -> None:
    root = Path(voc_folder.write(tmp_path / "data"))
    (tmp_path / "cache").mkdir()
    text = f"name: x\ndata: {{voc2007: {root}}}\n" + grid(1).replace("shapes", "voc2007")
    said = refused(text, "run", tmp_path / "sweep.yaml", "--local", "--store", root / below)
    assert "inside the folder of voc2007" in said


def test_b28_nobody_answers() -> None:
    """Beside `test_a_cluster_that_is_not_there`, which asks the whole command."""
    with pytest.raises(InvalidInput, match="nobody answers at 127.0.0.1:9 .*leave --address out"):
        connection.check("127.0.0.1:9")


def test_b29_more_than_the_cluster_has() -> None:
    wrong = "resources.gpu: a trial asks for 4, the largest node has 3; ask for less with --set resources.gpu=N"
    with pytest.raises(InvalidInput, match=wrong):
        cluster._room(Resources(gpu=4), [{"CPU": 8, "GPU": 3}], may_grow=False)


def test_b30_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray writes a token to ~/.ray unless the environment has one."""
    monkeypatch.setenv("HOME", "/proc/nowhere")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", *connection.ENVIRONMENT):
        monkeypatch.delenv(name, raising=False)
    connection.configure(None)
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_b31_another_version_of_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**options: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with: Ray: 2.40.0")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(InvalidInput, match="cannot use the cluster: Version mismatch"), connection.connected("auto"):
        pass


def test_ray_that_does_not_start_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**options: object) -> None:
        raise RuntimeError("Failed to start GCS")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(connection.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InvalidInput, match="Failed to start GCS; --local runs without it"), connection.connected(None):
        pass
    assert not list(tmp_path.iterdir())


def test_b32_nothing_to_look_at(refused: Refused, tmp_path: Path) -> None:
    store = ("--store", tmp_path)
    assert "no results of a sweep 'demo' (there are: none)" in refused(None, "trials", "demo", *store)
    assert "expected the id of one trial, 'abc' fits none" in refused(None, "show", "abc", *store)
    assert "no results of a sweep 'demo'" in refused(None, "compact", "demo", *store)


# What is stored


def changed(name: str) -> pa.Table:
    table = pa.Table.from_pylist([row(GUIDED, f1=0.5)], schema=SCHEMA)
    return {
        "a column missing": lambda: table.drop_columns(["lambda_loc"]),
        "a column retyped": lambda: table.set_column(
            table.schema.get_field_index("f1"), "f1", pa.array(["high"])
        ).replace_schema_metadata(SCHEMA.metadata),
        "another's file": lambda: pa.table({"a": [1, 2]}),
    }[name]()


@pytest.mark.parametrize("name", ["a column missing", "a column retyped", "another's file"])
def test_b61_a_file_that_is_no_record_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    store = Store(tmp_path)
    store.commit(BASELINE.id, [row(BASELINE)])
    pq.write_table(changed(name), tmp_path / "trials" / f"{GUIDED.id}.parquet")
    assert set(store.frame().id) == {BASELINE.id}
    assert f"{GUIDED.id}.parquet" in caplog.text
    assert store.compact() == (1, 0)


def test_b61_a_column_too_many_and_no_rows(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "trials").mkdir()
    table = pa.Table.from_pylist([row(GUIDED)], schema=SCHEMA)
    pq.write_table(table.append_column("new", pa.array([1])).replace_schema_metadata({}),
                   tmp_path / "trials" / f"{GUIDED.id}.parquet")  # fmt: skip
    store.commit(BASELINE.id, [])
    assert list(store.frame().columns) == SCHEMA.names
    assert store.frame().id.tolist() == [GUIDED.id]
    assert not store.is_done(BASELINE)


OWN_ERRORS = ROOT / "mgsweep/runner/plan_on_tune.py"
"""Reads, in the driver, the error that a worker of the same run has just raised and Ray wrote down for it."""

FORBIDDEN = {
    "eval",
    "exec",
    "load_pickle",
    "extractall",
    "pickle",
    "cloudpickle",
    "marshal",
    "shelve",
    "dill",
    "system",
}


@pytest.mark.parametrize("file", sorted([*ROOT.glob("mgsweep/**/*.py"), *ROOT.glob("analysis/**/*.py")]), ids=str)
def test_b62_nothing_is_unpickled_and_no_shell_is_started(file: Path) -> None:
    """Arrow 14.0.1 is the first that executes nothing out of a Parquet file; torch files are read as plain tensors."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            whose = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert whose.split(".")[0] not in FORBIDDEN or file == OWN_ERRORS, f"{file}:{node.lineno}: {whose}"
            assert name not in ("extractall", "system", "popen"), f"{file}:{node.lineno}: {whose}"
            assert keywords.get("shell", "False") == "False", f"{file}:{node.lineno}: a shell"
            assert whose != "torch.load" or keywords.get("weights_only") == "True", f"{file}:{node.lineno}"
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in FORBIDDEN:
            assert node.attr.endswith("Error") or file == OWN_ERRORS, f"{file}:{node.lineno}: {ast.unparse(node)}"


def test_b62_arrow_is_new_enough() -> None:
    assert '"pyarrow>=21"' in (ROOT / "pyproject.toml").read_text()


def test_b63_a_sweep_of_failures_draws_nothing_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo", [BASELINE, GUIDED])
    store.fail(BASELINE.id, {"cause": "bug", "error": "x"})
    monkeypatch.setattr(
        sys, "argv", ["mgsweep", "figures", "demo", "--store", str(tmp_path), "--out", str(tmp_path / "figures")]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert not list(tmp_path.glob("figures/**/*.pdf"))
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1+2", "@x", "\t=1"])
def test_b64_a_cell_is_no_formula_to_a_spreadsheet(capsys: pytest.CaptureFixture[str], text: str) -> None:
    show([{"sweep": text, "f1": -0.5}], "csv")
    ((name, number),) = list(csv.reader(capsys.readouterr().out.splitlines()))[1:]
    assert (name, number) == (f"'{text}", "-0.5")


def test_this_process_and_a_cluster_cannot_both_be_meant(refused: Refused) -> None:
    assert "expected one of the two" in refused(grid("0.1"), "run", "sweep.yaml", "--local", "--address", "auto")


def test_b64_a_store_with_a_name_that_is_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes into a store can call a folder so; it is shown as it is."""
    from mgsweep.listings.sweeps import overview
    from mgsweep.screen import console

    monkeypatch.setattr(console, "width", 200)
    Store(tmp_path / "[red]<script>").begin("", [BASELINE])
    for part in overview(tmp_path):
        console.print(part)
    assert "[red]<script>" in capsys.readouterr().out

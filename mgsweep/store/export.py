"""A sweep's results as a data set for others: one Parquet file and a card that says what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mgsweep import durable
from mgsweep.store import Store, tables
from mgsweep.store.columns import COLUMNS, Column, described

PRIVATE = ("host",)
"""Columns that are emptied: they name machines, and say nothing about results."""

STOPPED = Column("stopped", pa.bool_(), "param", "", "whether the trial was stopped early, as its scores were behind")
"""What an export has beside the columns of records: it also holds trials that have none."""


def export(store: Store, out: Path, name: str, card: bool, license_: str | None) -> list[Path]:
    """Write all results of a sweep to `<out>/<name>.parquet`, and with `card` describe them in `<out>/README.md`.

    Trials that were stopped early are among them: without these the scores of the others would be a selection.

    Raises:
        OSError: it cannot be written there.
    """
    rows = _public(store.with_stopped())
    durable.write(out, f"{name}.parquet", tables.to_bytes(rows, "export"))
    made = [out / f"{name}.parquet"]
    if card:
        durable.write(out, "README.md", _card(rows, name, license_).encode())
        made.append(out / "README.md")
    return made


def _public(rows: pa.Table) -> pa.Table:
    for column in PRIVATE:
        index = rows.schema.get_field_index(column)
        rows = rows.set_column(index, rows.schema.field(index), pa.nulls(len(rows), rows.schema.field(index).type))
    return rows.replace_schema_metadata(described([*COLUMNS, STOPPED]))


def schema_table(columns: Iterable[Column] = COLUMNS) -> str:
    """The columns of a record as a table in Markdown; also in docs/store.md."""
    lines = ["| column | type | unit | role | meaning |", "|---|---|---|---|---|"]
    for column in columns:
        unit = column.unit or "–"
        lines.append(f"| `{column.name}` | {column.type} | {unit} | {column.role} | {column.description} |")
    return "\n".join(lines)


_CARD = """\
---
{license}pretty_name: "{name}: a sweep of model guidance"
tags: [model-guidance, explainability, hyperparameter-sweep]
size_categories: [{category}]
configs:
- config_name: default
  data_files: {name}.parquet
---

# {name}

Results of {trials} trials of model guidance (Rao et al., ICCV 2023): classifiers whose attributions are pulled onto
objects while they train; {stopped} stopped early. One row for each trial, epoch, split and probe;
{rows} rows. Every row holds its whole configuration, so no file name has to be understood.

| | |
|---|---|
{facts}

```python
import pandas as pd

frame = pd.read_parquet("{name}.parquet")
own = frame[(frame.probe_attribution == frame.attribution) & (frame.probe_depth == frame.depth)]
val, test = (own[own.split == split].set_index(["id", "epoch"]) for split in ("val", "test"))
score = val.accuracy.fillna(val.f1)  # chosen on validation
best = score[val.index.isin(test.index)].groupby("id").idxmax()
test.loc[best, ["model", "loss", "lambda_loc", "f1", "epg"]]
```

## Columns

Shares and scores lie in [0, 1]; a unit of 1 is a plain number. The same descriptions are in the file's metadata under
the key `mgsweep`.

{schema}

## Provenance

{provenance}

Nothing was selected after the fact: every evaluated epoch of every trial that ran to its end or was stopped early is
there, those of validation and test as they were measured. A trial was stopped early (`stopped` is true) because its
scores on validation were behind those of others; it has only the epochs until then, so take `~frame.stopped` to
compare fully trained models, and all rows to judge how scores are spread. Trials that failed or had not ended are not
in it. Names of machines were removed.

## Licence

{terms}
"""


def _card(rows: pa.Table, name: str, license_: str | None) -> str:
    trials = len(rows["id"].unique())
    return _CARD.format(
        name=name,
        license=f"license: {json.dumps(license_)}\n" if license_ else "",
        category="n<1K" if len(rows) < 1000 else "1K<n<10K" if len(rows) < 10_000 else "10K<n<1M",
        trials=trials,
        stopped=len(rows.filter(rows["stopped"])["id"].unique()),
        rows=len(rows),
        facts="\n".join(f"| {key} | {_values(rows, key)} |" for key in _FACTS),
        schema=schema_table([*COLUMNS, STOPPED]),
        provenance="\n".join(f"- {what}: {_values(rows, key)}" for what, key in _PROVENANCE),
        terms=license_ or "Not stated. Ask whoever published these results before you use them.",
    )


_FACTS = ("dataset", "model", "attribution", "depth", "loss")

_PROVENANCE = (
    ("mgsweep", "mgsweep_version"),
    ("PyTorch", "torch_version"),
    ("commit", "git_commit"),
    ("commit had local changes", "git_dirty"),
    ("devices", "device"),
    ("trained", "started"),
)


def _values(rows: pa.Table, key: str) -> str:
    found = rows[key].drop_null()
    if not len(found):
        return "–"
    if pa.types.is_timestamp(found.type):
        ends = pc.min_max(found).as_py()
        return f"{ends['min']:%Y-%m-%d} to {ends['max']:%Y-%m-%d}"
    return ", ".join(sorted(str(value).replace("|", "\\|").replace("\n", " ") for value in found.unique().to_pylist()))

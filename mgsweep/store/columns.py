"""The columns of a record: one row per (trial, epoch, split, probe), each with its unit and meaning."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pyarrow as pa

from mgsweep.trial import CONFIG, Trial

SCHEMA_VERSION = 4


@dataclass(frozen=True)
class Column:
    """`role` is key, param, metric, count or provenance; `unit` is "1" for a share in [0, 1], "" for a name."""

    name: str
    type: pa.DataType
    role: str
    unit: str
    description: str


def _config(name: str) -> Column:
    info = Trial.model_fields[name]
    numbers = {int: pa.int64(), float: pa.float64()}
    kind = next((numbers[t] for t in (info.annotation, *get_args(info.annotation)) if t in numbers), pa.string())
    units = {"epochs": "epochs", "batch_size": "images", "image_size": "px"}
    unit = "" if kind == pa.string() else units.get(name, "1")
    return Column(name, kind, "param", unit, info.description or "")


COLUMNS = (
    Column("sweep", pa.string(), "key", "", "name of the sweep that ran the trial"),
    Column("id", pa.string(), "key", "", "identity of the trial: a hash of its configuration"),
    *map(_config, CONFIG),
    Column("epoch", pa.int64(), "key", "epochs", "training epochs done when this was measured, from 1"),
    Column("split", pa.string(), "key", "", "train, val or test"),
    Column("probe_attribution", pa.string(), "key", "", "attribution that was measured; null when none was"),
    Column("probe_depth", pa.string(), "key", "", "depth it was read at"),
    Column("f1", pa.float64(), "metric", "1", "micro F1 over all image x class decisions; a logit >= 0 is positive"),
    Column("mean_ap", pa.float64(), "metric", "1", "mean over classes of the average precision"),
    Column("epg", pa.float64(), "metric", "1", "share of positive attribution inside the boxes, mean over pairs"),
    Column("iou", pa.float64(), "metric", "1", "overlap of map and boxes at threshold 0.5, mean over pairs"),
    Column("iou_held_out", pa.float64(), "metric", "1", "the same at iou_threshold"),
    Column("iou_threshold", pa.float64(), "param", "1", "the best of the same weights on val, of those tried"),
    Column("iou_adaptive", pa.float64(), "metric", "1", "the same, cut at the top tenth of each map's values"),
    Column("iou_by_threshold", pa.list_(pa.float64()), "metric", "1", "the same at each of metrics.THRESHOLDS"),
    Column("on_object_epg", pa.float64(), "metric", "1", "attribution on objects over that in boxes, mean over pairs"),
    Column("accuracy", pa.float64(), "metric", "1", "share of images whose largest logit is their label's"),
    Column("worst_group_accuracy", pa.float64(), "metric", "1", "the lowest accuracy of a group"),
    Column("class_loss", pa.float64(), "metric", "nat", "binary cross entropy, mean over images x classes"),
    Column("guidance_loss", pa.float64(), "metric", "1", "guidance loss, mean over the guided images"),
    Column("pairs", pa.int64(), "count", "pairs", "(image, class) pairs measured or guided"),
    Column("pairs_undefined", pa.int64(), "count", "pairs", "pairs without positive attribution; they count 0"),
    Column("pairs_segmented", pa.int64(), "count", "pairs", "pairs with a segmentation mask, for on_object_epg"),
    Column("pairs_by_class", pa.list_(pa.int64()), "count", "pairs", "per class"),
    Column("epg_by_class", pa.list_(pa.float64()), "metric", "pairs", "sum of EPG per class; divide by pairs_by_class"),
    Column(
        "pairs_by_size", pa.list_(pa.int64()), "count", "pairs", "by share of the image in boxes: tenths, ascending"
    ),
    Column("epg_by_size", pa.list_(pa.float64()), "metric", "pairs", "sum of EPG by the same; divide by pairs_by_size"),
    Column("group_total", pa.list_(pa.int64()), "count", "images", "by group: 2 x label + companion"),
    Column("group_correct", pa.list_(pa.int64()), "count", "images", "of these, decided right"),
    Column("masks_empty", pa.int64(), "count", "images", "guided images whose boxes had shrunk to nothing"),
    Column("true_positives", pa.list_(pa.int64()), "count", "images", "per class"),
    Column("false_positives", pa.list_(pa.int64()), "count", "images", "per class"),
    Column("false_negatives", pa.list_(pa.int64()), "count", "images", "per class"),
    Column("seconds", pa.float64(), "provenance", "s", "time this took"),
    Column(
        "peak_memory",
        pa.int64(),
        "provenance",
        "bytes",
        "largest of this attempt so far: on the GPU, else of the process",
    ),
    Column("micro_batch", pa.int64(), "provenance", "images", "computed at a time in training; null: the whole batch"),
    Column("device", pa.string(), "provenance", "", "what it ran on"),
    Column("host", pa.string(), "provenance", "", "machine it ran on"),
    Column("started", pa.timestamp("us", tz="UTC"), "provenance", "", "when this attempt at the trial began"),
    Column("mgsweep_version", pa.string(), "provenance", "", "version of this program"),
    Column("torch_version", pa.string(), "provenance", "", "version of PyTorch"),
    Column("git_commit", pa.string(), "provenance", "", "commit of the working directory, if it is a checkout"),
    Column("git_dirty", pa.bool_(), "provenance", "", "whether that checkout had uncommitted changes"),
)


def described(columns: Iterable[Column]) -> dict[str, str]:
    """The metadata of a table of such columns."""
    meanings = {c.name: {"role": c.role, "unit": c.unit, "description": c.description} for c in columns}
    return {"mgsweep": json.dumps({"schema_version": SCHEMA_VERSION, "columns": meanings})}


SCHEMA = pa.schema(
    # Described once, in the file's metadata: a description at each field would be stored twice more in every record.
    [pa.field(column.name, column.type) for column in COLUMNS],
    metadata=described(COLUMNS),
)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table of this schema; a column that a row lacks is null, one that the schema lacks is an error.

    Raises:
        KeyError: a row has a column that the schema does not know.
    """
    if unknown := {key for row in rows for key in row} - set(SCHEMA.names):
        raise KeyError(f"columns missing in the schema: {', '.join(sorted(unknown))}")
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _default(name: str) -> Any:
    info = Trial.model_fields.get(name)
    return None if info is None or info.is_required() else info.default


def conformed(read: pa.Table, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """A table of an older or newer version in columns of today's schema: others are left out, missing ones null.

    A field of `Trial` that an older version did not know has its default, as it had in that trial.

    Raises:
        ValueError: it claims this version, but lacks some: page checksums cover values, not the names of columns.
    """
    schema = pa.schema([SCHEMA.field(name) for name in columns], SCHEMA.metadata)
    if read.schema.equals(schema):
        return read.replace_schema_metadata(SCHEMA.metadata)
    claimed = json.loads((read.schema.metadata or {}).get(b"mgsweep", b"{}")).get("schema_version")
    if claimed == SCHEMA_VERSION and read.schema.names != schema.names:
        raise ValueError("its columns are damaged")
    arrays = [
        read[field.name].cast(field.type)
        if field.name in read.column_names
        else pa.repeat(pa.scalar(_default(field.name), field.type), len(read))
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)

"""Pictures of a trial: gallery/<id>.parquet, a few test images with their attribution maps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mgsweep import durable
from mgsweep.store.columns import SCHEMA
from mgsweep.store.files import Files, log
from mgsweep.store.seal import Damaged
from mgsweep.trial import CONFIG

if TYPE_CHECKING:
    import pandas as pd

PICTURES = pa.schema(
    [
        pa.field("id", pa.string()),
        *(SCHEMA.field(name) for name in CONFIG),
        pa.field("epoch", pa.int64()),
        pa.field("f1_val", pa.float64()),  # of that epoch, at the trial's own probe
        pa.field("epg_val", pa.float64()),
        pa.field("image", pa.int64()),  # number in the test split
        pa.field("class", pa.string()),
        pa.field("probability", pa.float64()),
        pa.field("boxes", pa.list_(pa.float64())),  # xmin, ymin, xmax, ymax of each, shares of the side
        pa.field("pixels", pa.binary()),  # (S, S, 3) uint8
        pa.field("probe_attribution", pa.string()),
        pa.field("probe_depth", pa.string()),
        pa.field("epg", pa.float64()),
        pa.field("map", pa.binary()),  # (side, side) float16, largest magnitude 1
        pa.field("side", pa.int64()),
        pa.field("peak", pa.float64()),  # what the map was divided by
    ]
)
_CLASSES = b"classes"
_LEFT_OUT = "left out %s; `mgsweep gallery` makes it anew"


class Gallery:
    """The pictures of one sweep, or (for reading) of every sweep in a folder. They can always be made anew."""

    def __init__(self, path: Path) -> None:
        self._files = Files(path)

    def hang(self, trial_id: str, rows: list[dict[str, Any]], classes: Sequence[str]) -> None:
        """Replace the pictures of a trial."""
        schema = PICTURES.with_metadata({_CLASSES: json.dumps(list(classes)).encode()})
        self._files.write_table(_name(trial_id), pa.Table.from_pylist(rows, schema), _seal(trial_id))

    def hung(self) -> set[str]:
        """Ids of the trials that have pictures, those of one sweep."""
        return {Path(name).stem for name in durable.names(self._files.root / "gallery") if name.endswith(".parquet")}

    def pictures(self, trial_id: str) -> list[dict[str, Any]]:
        """A row for each epoch, image and probe of a trial; none if they cannot be trusted, which is said."""
        try:
            rows: list[dict[str, Any]] = self._read(_name(trial_id)).to_pylist()
        except Damaged as damaged:
            log.warning(_LEFT_OUT, damaged)
            return []
        return rows

    def images(self, trial_id: str) -> set[int]:
        """The images that there are of a trial; none if they cannot be trusted."""
        try:
            return set(self._read(_name(trial_id))["image"].to_pylist())
        except Damaged:
            return set()

    def classes(self, trial_id: str) -> list[str]:
        """Names of the classes of a trial's data set, in order; none if its pictures cannot be trusted."""
        try:
            names: list[str] = json.loads(self._read(_name(trial_id)).schema.metadata[_CLASSES])
        except (Damaged, TypeError, KeyError, ValueError):
            return []
        return names

    def frame(self) -> pd.DataFrame:
        """All pictures, one row for each trial, epoch, image and probe. Says which files cannot be trusted."""
        tables = [PICTURES.empty_table()]
        for name in self._everywhere():
            try:
                tables.append(self._read(name).replace_schema_metadata(None))
            except Damaged as damaged:
                log.warning(_LEFT_OUT, damaged)
        frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
        return frame

    def _everywhere(self) -> Iterator[str]:
        root = self._files.root
        folders: Iterable[str] = ["gallery", *(f"{sweep}/gallery" for sweep in durable.names(root))]
        for folder in folders:
            yield from (f"{folder}/{name}" for name in durable.names(root / folder) if name.endswith(".parquet"))

    def _read(self, name: str) -> pa.Table:
        table = self._files.read_table(name, _seal(Path(name).stem))
        if table.schema.names != PICTURES.names:
            raise Damaged(self._files.root / name, "its columns are not those of pictures")
        return table.cast(PICTURES.with_metadata(table.schema.metadata))


def _name(trial_id: str) -> str:
    return f"gallery/{trial_id}.parquet"


def _seal(trial_id: str) -> str:
    return f"{trial_id}/gallery"

"""Many records in one file, compacted.parquet: made by `mgsweep compact`, read in place of the files it was made of.

It notes, for each record, the stamp (size and time of writing) of the file the record came from, or that there is none
any more because it was pruned. A record is read from here as long as that is still so; a file that was written anew, or
copied without its times, is read itself, and a record whose file somebody deleted is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mgsweep import durable
from mgsweep.durable import Stamp
from mgsweep.store import tables
from mgsweep.store.columns import SCHEMA, conformed
from mgsweep.store.files import UNREADABLE, Files, log
from mgsweep.store.seal import Damaged, without_seal

NAME = "compacted.parquet"
LOCK = ".compacting"
_SEAL = "compacted"
_STAMPS = b"stamps"


@dataclass(frozen=True)
class Compacted:
    """A compacted file as read and verified, and the stamps of what it was made of, by trial."""

    file: Path
    content: bytes
    stamps: Mapping[str, Stamp | None]

    def holds(self, trial_id: str, stamp: Stamp | None) -> bool:
        """Whether it has the record of a trial, whose own file now has this stamp, or is not there."""
        return trial_id in self.stamps and self.stamps[trial_id] == stamp

    def table(self, columns: Sequence[str] = SCHEMA.names, where: pc.Expression | None = None) -> pa.Table:
        """All its rows, or some, sorted by trial.

        Raises:
            Damaged: it cannot be decoded.
        """
        return self._trusted(lambda: tables.from_bytes(self.content, _SEAL, columns, where), columns)

    def record(self, trial_id: str, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """The rows of one trial; the columns must hold the id.

        Raises:
            Damaged: it cannot be decoded.
        """
        return self._trusted(lambda: tables.only(self.content, columns, trial_id), columns)

    def _trusted(self, decode: Callable[[], pa.Table], columns: Sequence[str]) -> pa.Table:
        try:
            return conformed(decode(), columns)
        except UNREADABLE as error:
            raise Damaged(self.file, str(error)) from None


def read(root: Path) -> Compacted | None:
    """The compacted records of a sweep; None if there are none, or if they cannot be trusted, which is said."""
    file = root / NAME
    try:
        content = durable.read(file)
        if without_seal(content, _SEAL) is None:
            raise ValueError("the seal at its end is missing")
        stamps = json.loads(tables.metadata(content)[_STAMPS])
        return Compacted(file, content, {name: Stamp(*stamp) if stamp else None for name, stamp in stamps.items()})
    except FileNotFoundError:
        return None
    except (*UNREADABLE, KeyError, TypeError) as error:
        log.warning("left out %s: %s; compact the sweep again", file, error)
        return None


def write(files: Files, rows: pa.Table, stamps: Mapping[str, Stamp | None]) -> None:
    """Replace the compacted records of a sweep by these rows, sorted by trial."""
    noted = {**(rows.schema.metadata or {}), _STAMPS: json.dumps(stamps)}
    files.write_table(NAME, rows.replace_schema_metadata(noted), _SEAL)


def only(rows: pa.Table, wanted: Collection[str], of: int) -> pa.Table:
    """The rows of the wanted trials, of a table that has `of`."""
    return rows if len(wanted) == of else rows.filter(pc.is_in(rows["id"], pa.array(list(wanted), pa.string())))


def prune(files: Files, compacted: Compacted, spared: Collection[str]) -> int:
    """Remove the files of the records that a compacted file holds, all but the spared; returns how many.

    First it is written that they are gone, then they go: a crash in between leaves files that are merely read again.
    """
    there = {name: stamp for name, stamp in compacted.stamps.items() if stamp is not None and name not in spared}
    write(files, compacted.table(), {**compacted.stamps, **dict.fromkeys(there)})
    gone = 0
    for trial_id, stamp in there.items():
        if durable.stamp(files.root / f"trials/{trial_id}.parquet") == stamp:
            durable.remove(files.root, f"trials/{trial_id}.parquet")
            gone += 1
    return gone

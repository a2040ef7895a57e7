"""The records of one sweep: a file each, or together in one that `compact` made. A record in both counts once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mgsweep import durable
from mgsweep.durable import Stamp
from mgsweep.errors import StoreError
from mgsweep.store import compact
from mgsweep.store.columns import SCHEMA, table
from mgsweep.store.compact import Compacted
from mgsweep.store.files import LEFT_OUT, Files, log
from mgsweep.store.seal import Damaged

_SPENT = b"mgsweep seconds "


class Records:
    """Finished trials by id. What reads one raises Damaged if there is none that can be trusted."""

    def __init__(self, root: Path) -> None:
        self._root, self._files = root, Files(root)
        self._known: tuple[Stamp | None, Compacted | None] = (None, None)

    def ids(self) -> list[str]:
        """Every trial that has a record, to be trusted or not; sorted, so that no figure depends on a directory."""
        single = self._stamps()
        compacted = self._compacted()
        kept = compacted.stamps if compacted else {}
        return sorted(single.keys() | {name for name, stamp in kept.items() if stamp is None})

    def exists(self, trial_id: str) -> bool:
        """Whether there is a record, to be trusted or not."""
        return (self._root / _name(trial_id)).exists() or self._holder(trial_id) is not None

    def flaws(self) -> dict[str, Damaged | None]:
        """What is wrong with every record, if anything is."""
        single, compacted = self._stamps(), self._compacted()
        return {
            name: None if compacted and compacted.holds(name, single.get(name)) else self._files.flaw(_name(name))
            for name in self.ids()
        }

    def flaw(self, trial_id: str) -> Damaged | None:
        """What is wrong with a record, or that there is none. Quick, for a sealed record is not decoded."""
        if self._holder(trial_id):
            return None
        flaw = self._files.flaw(_name(trial_id))
        return None if flaw and self._holder(trial_id) else flaw  # pruned while we looked

    def read(self, trial_id: str, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """The rows of a record, or some of their columns."""
        if holder := self._holder(trial_id):
            return holder.record(trial_id, columns)
        try:
            return self._files.record(_name(trial_id), columns)
        except Damaged:
            if holder := self._holder(trial_id):  # pruned while we looked
                return holder.record(trial_id, columns)
            raise

    def table(self, columns: Sequence[str] = SCHEMA.names, where: pc.Expression | None = None) -> pa.Table:
        """All records, sorted by id, or the rows `where` something holds. Says which records cannot be trusted.

        Args:
            columns: those to read: the id, and what `where` looks at, must be among them.
        """
        return self._gathered(self._stamps(), columns, where)

    def seconds(self) -> float:
        """What all records together took, in seconds, as far as they can be read."""
        single, compacted = self._stamps(), self._compacted()
        total = 0.0
        if compacted:
            rows = compacted.table(("id", "seconds"))
            held = [name for name in compacted.stamps if compacted.holds(name, single.pop(name, None))]
            total = pc.sum(compact.only(rows, held, len(compacted.stamps))["seconds"]).as_py() or 0.0
        return total + sum(map(self._seconds, single))

    def _seconds(self, trial_id: str) -> float:
        with suppress(OSError, Damaged):
            content = durable.read(self._root / _name(trial_id))
            if found := re.search(_SPENT + rb"([0-9.]+)", content):
                return float(found[1])
            return pc.sum(self.read(trial_id, ("id", "seconds"))["seconds"]).as_py() or 0.0
        return 0.0

    def probes(self) -> pa.Table:
        """What was measured in each record: `id`, `probe_attribution`, `probe_depth`, every combination once."""
        columns = ("id", "probe_attribution", "probe_depth")
        return self.table(columns).group_by(columns).aggregate([])

    def _gathered(
        self, single: Mapping[str, Stamp], columns: Sequence[str] = SCHEMA.names, where: pc.Expression | None = None
    ) -> pa.Table:
        compacted = self._compacted()
        held = {name for name in compacted.stamps if compacted.holds(name, single.get(name))} if compacted else set()
        parts = [table([]).select(columns)]
        if compacted and held:
            parts.append(compact.only(compacted.table(columns, where), held, len(compacted.stamps)))
        for name in sorted(single.keys() - held):
            try:
                rows = self.read(name, columns)
                parts.append(rows if where is None else rows.filter(where))
            except Damaged as damaged:
                log.warning(LEFT_OUT, damaged)
        joined = pa.concat_tables(parts)
        return joined.sort_by("id") if held and len(parts) > 2 else joined

    def write(self, trial_id: str, rows: list[dict[str, Any]]) -> None:
        """Publish a record. Of two the first stays, unless the second has what it has not, as of a further probe.

        It says in its footer what it took, so that this need not be decoded to be added up.
        """
        lacks = self._lacks(trial_id, rows)
        if self._holder(trial_id) and not lacks:
            return
        taken = sum(row.get("seconds") or 0 for row in rows)
        noted = {**(SCHEMA.metadata or {}), "spent": f"{_SPENT.decode()}{taken:.3f}"}
        with suppress(FileExistsError):
            self._files.write_table(_name(trial_id), table(rows).replace_schema_metadata(noted), trial_id, lacks)

    def _lacks(self, trial_id: str, rows: list[dict[str, Any]]) -> bool:
        if not self.exists(trial_id):
            return False
        try:
            there = self.read(trial_id, ("id", *_KEY)).to_pylist()
        except Damaged:
            return True
        return not {_key(row) for row in rows} <= {_key(row) for row in there}

    def set_aside(self, trial_id: str, reason: str) -> None:
        """Move a record out of the way, so that the trial is run again."""
        if self._holder(trial_id) and not (self._root / _name(trial_id)).exists():
            self._unpack(trial_id)
        if (self._root / _name(trial_id)).exists():
            self._files.set_aside(_name(trial_id), reason)

    def compact(self, spared: Collection[str] | None = None) -> tuple[int, int]:
        """Write all records into one file; returns how many, and how many files were removed.

        Args:
            spared: trials whose files stay; None keeps all.

        Raises:
            StoreError: another process is at it.
        """
        with durable.locked(self._root / compact.LOCK, blocking=False) as ours:
            made = self._compact(ours)
            return len(made.stamps), 0 if spared is None else compact.prune(self._files, made, spared)

    def _compact(self, ours: bool) -> Compacted:
        if not ours:
            raise StoreError(f"{self._root}: another process is compacting this sweep; let it end")
        stamps = self._stamps()  # before the files are read: one written meanwhile will not match, and be read itself
        rows = self._gathered(stamps)
        compact.write(self._files, rows, {name: stamps.get(name) for name in rows["id"].unique().to_pylist()})
        made = self._compacted()
        if made is None:
            raise StoreError(f"{self._root / compact.NAME}: it does not read back as it was written; the disk may fail")
        return made

    def _unpack(self, trial_id: str) -> None:
        """Give a pruned record its own file again, and take it out of the compacted one."""
        with durable.locked(self._root / compact.LOCK):
            compacted = self._compacted()
            if compacted and trial_id in compacted.stamps:
                self._files.write_table(_name(trial_id), compacted.record(trial_id), trial_id)
                rest = {name: stamp for name, stamp in compacted.stamps.items() if name != trial_id}
                compact.write(self._files, compact.only(compacted.table(), rest, len(compacted.stamps)), rest)

    def _holder(self, trial_id: str) -> Compacted | None:
        """The compacted file, if the trial's record is to be read from it."""
        compacted = self._compacted()
        holds = compacted and compacted.holds(trial_id, durable.stamp(self._root / _name(trial_id)))
        return compacted if holds else None

    def _compacted(self) -> Compacted | None:
        """Read again only when it has changed."""
        stamp = durable.stamp(self._root / compact.NAME)
        if self._known[0] != stamp:
            self._known = (stamp, compact.read(self._root))
        return self._known[1]

    def _stamps(self) -> dict[str, Stamp]:
        found = durable.stamps(self._root / "trials")
        return {Path(name).stem: stamp for name, stamp in found.items() if name.endswith(".parquet")}


_KEY = ("epoch", "split", "probe_attribution", "probe_depth")


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _KEY)


def _name(trial_id: str) -> str:
    return f"trials/{trial_id}.parquet"

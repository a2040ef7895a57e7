"""The files of a results folder: written whole, verified when they are read, set aside when they are damaged."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from mgsweep import durable
from mgsweep.store import tables
from mgsweep.store.columns import SCHEMA, conformed
from mgsweep.store.seal import Damaged, sealed, without_seal

log = logging.getLogger("mgsweep")

LEFT_OUT = "left out %s; run the sweep again to have it made anew"

UNREADABLE = (OSError, ValueError, pa.ArrowException)


class Files:
    """Files by their name below `root`. `seal` says what a file is, so that one in another's place is noticed.

    All that read raise Damaged: the file is not as it was written, cannot be read, or is not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: bytes, seal: str) -> None:
        """Write a file that ends with its seal."""
        durable.write(self.root, name, sealed(content, seal))

    def read(self, name: str, seal: str) -> bytes:
        """What was written, without the seal."""
        try:
            content = without_seal(durable.read(self.root / name), seal)
        except UNREADABLE as error:
            raise self._damaged(name, error) from None
        if content is None:
            raise Damaged(self.root / name, "the seal at its end is missing")
        return content

    def write_table(self, name: str, table: pa.Table, seal: str, replace: bool = True) -> None:
        """Write a Parquet file with its seal inside.

        Raises:
            FileExistsError: it was there and was not to be replaced.
        """
        durable.write(self.root, name, tables.to_bytes(table, seal), replace)

    def read_table(self, name: str, seal: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The table, or some columns of it."""
        try:
            return tables.from_bytes(durable.read(self.root / name), seal, columns)
        except UNREADABLE as error:
            raise self._damaged(name, error) from None

    def record(self, name: str, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """A table in the columns of today's schema, all of whose rows are of the trial that names the file."""
        trial_id = Path(name).stem
        try:
            table = conformed(self.read_table(name, trial_id, columns), columns)
        except (ValueError, pa.ArrowException) as error:
            raise self._damaged(name, error) from None
        if strangers := set(table["id"].unique().to_pylist()) - {trial_id}:
            raise Damaged(self.root / name, f"it holds rows of trial {strangers.pop()}")
        return table

    def flaw(self, name: str) -> Damaged | None:
        """What is wrong with a record, if anything is. Quick, for a sealed record is not decoded."""
        try:
            if without_seal(durable.read(self.root / name), Path(name).stem) is None:
                self.record(name)
        except Damaged as damaged:
            return damaged
        except UNREADABLE as error:
            return self._damaged(name, error)
        return None

    def set_aside(self, name: str, reason: str) -> None:
        """Move a file to damaged/ with the reason beside it, so that what it stood for is done again. Says so."""
        target = f"damaged/{name.replace('/', '.')}.{uuid.uuid4().hex[:8]}"
        durable.write(self.root, f"{target}.reason", f"{name}: {reason}\n".encode())
        durable.move(self.root, name, target)
        log.warning("%s: %s; set aside as %s", self.root / name, reason, target)

    def _damaged(self, name: str, error: Exception) -> Damaged:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Damaged(self.root / name, (said.splitlines() or [type(error).__name__])[0])

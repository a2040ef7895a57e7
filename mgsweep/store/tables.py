"""Tables as the bytes of sealed Parquet files, and back."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mgsweep.store.seal import blank, sealed, without_seal

if TYPE_CHECKING:
    import pandas as pd

MANY = 10_000
"""Rows from which dictionaries pay."""

SMALL = 2**17
"""Bytes up to which compressing better is not worth the time: a record has less, pictures have more."""

ROW_GROUP = 50_000
"""Rows that are decoded to read one trial of a table of many."""


def to_bytes(table: pa.Table, name: str) -> bytes:
    """A Parquet file with the seal of `name` in its footer.

    Few rows are written without dictionaries and statistics, with the schema in Parquet's own terms only: half the
    time, a quarter of the size for a table of many columns. Few bytes are compressed quickly, many well.
    """
    buffer, line = io.BytesIO(), blank(name)
    many = len(table) > MANY
    with pq.ParquetWriter(
        buffer,
        table.schema,
        compression="snappy" if table.nbytes < SMALL else "zstd",
        write_page_checksum=True,
        use_dictionary=many,
        write_statistics=["id"] if many else False,
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)
        writer.add_key_value_metadata({**(table.schema.metadata or {}), "seal": line})
    before, _, after = buffer.getvalue().rpartition(line)
    return sealed(before, name, after)


def from_bytes(
    content: bytes, name: str, columns: Sequence[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """The table, or some columns or rows of it. A file without seal is an older one: there, page checksums must do.

    Raises:
        ValueError, OSError, pa.ArrowException: it is not as it was written.
    """
    unsealed = without_seal(content, name) is None
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=unsealed)
    wanted = None if columns is None else list(columns)
    if where is not None and file.num_row_groups:  # what is not wanted is never there all at once
        groups = (file.read_row_group(number, wanted) for number in range(file.num_row_groups))
        return pa.concat_tables(group.filter(where) for group in groups)
    return file.read(wanted, use_threads=file.metadata.num_rows > MANY)


def only(content: bytes, columns: Sequence[str], trial_id: str) -> pa.Table:
    """Some columns, the id among them, of the rows of one trial, out of a file that has been verified."""
    file = pq.ParquetFile(pa.BufferReader(content))
    groups = [n for n in range(file.num_row_groups) if _may_hold(file.metadata.row_group(n), trial_id)]
    rows = file.read_row_groups(groups, list(columns))
    return rows.filter(pc.equal(rows["id"], trial_id))


def _may_hold(group: pq.RowGroupMetaData, trial_id: str) -> bool:
    ids = next(group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == "id").statistics
    return ids is None or not ids.has_min_max or ids.min <= trial_id <= ids.max


def to_pandas(rows: pa.Table, categories: bool = False) -> pd.DataFrame:
    """The rows for pandas, text as categories or not. Uses the table up: nothing of a million rows is there twice."""
    frame: pd.DataFrame = rows.to_pandas(strings_to_categorical=categories, self_destruct=True)
    pa.default_memory_pool().release_unused()
    return frame


def metadata(content: bytes) -> dict[bytes, bytes]:
    """What a file's footer holds beside the table."""
    return dict(pq.ParquetFile(pa.BufferReader(content)).schema_arrow.metadata or {})

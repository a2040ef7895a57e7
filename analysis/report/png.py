"""Small pictures as PNG, of 8 bits, with what every Python has."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

COLOUR, INDEXED = 2, 3


def rgb(pixels: NDArray[np.uint8]) -> bytes:
    """A picture of pixels (H, W, 3)."""
    return _file(pixels, COLOUR, [])


def indexed(codes: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A picture of codes (H, W), numbers of colours in a palette (N, 3), N at most 256."""
    return _file(codes, INDEXED, [_chunk(b"PLTE", palette.tobytes())])


def _file(rows: NDArray[np.uint8], kind: int, between: list[bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], 8, kind, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)  # each begins with its filter: none
    data = _chunk(b"IDAT", zlib.compress(lines, 9))
    return b"".join([b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header), *between, data, _chunk(b"IEND", b"")])


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

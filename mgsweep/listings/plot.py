"""Curves as text: dots of braille, two by four to a character."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of U+2800 for the dots of the left and the right column, from above."""


def curve(values: Sequence[float], width: int = 30, height: int = 4) -> list[str]:
    """Lines that draw the values, evenly spaced, from their minimum (below) to their maximum (above).

    Few values are joined by straight lines; of many that share a column each is drawn, so that no peak is lost.

    Args:
        width, height: in characters.
    """
    low, high = min(values), max(values)
    cells = [[0] * width for _ in range(height)]
    for x, value in _points(values, 2 * width):
        share = (value - low) / (high - low) if high > low else 0.5
        row = round((1 - share) * (4 * height - 1))
        cells[row // 4][x // 2] |= _DOTS[x % 2][row % 4]
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]


def _points(values: Sequence[float], columns: int) -> Iterator[tuple[int, float]]:
    """(column, value) of every dot: of each value, and of the line between two where columns are left between them."""
    last = len(values) - 1
    for index, value in enumerate(values):
        yield round(index * (columns - 1) / last), value
    for column in range(columns):
        place = column * last / (columns - 1)
        before = min(int(place), last - 1)
        yield column, values[before] + (place - before) * (values[before + 1] - values[before])

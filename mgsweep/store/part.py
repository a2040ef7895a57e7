"""What the parts of a results folder share."""

from __future__ import annotations

import os
from pathlib import Path

from mgsweep.store.files import Files
from mgsweep.store.records import Records


class Part:
    """The files below one folder, and the records among them."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._files = Files(self.path)
        self._records = Records(self.path)

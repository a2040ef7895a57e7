"""The command line with a training that replays recorded curves, so that a test can kill it, stop it and run it again.

python simulated.py '{"notes": "/tmp/notes", "delay": 0.1, "mishaps": {"<id>": {"kind": "hang"}}}' run sweep.yaml ...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from replay import Mishap, Replay

from mgsweep.cli import main
from mgsweep.runner import execution, preflight

if __name__ == "__main__":
    options = json.loads(sys.argv.pop(1))
    execution.train_on_data = Replay(  # type: ignore[assignment]
        notes=Path(options["notes"]),
        delay=options.get("delay", 0.0),
        mishaps={name: Mishap(**fields) for name, fields in options.get("mishaps", {}).items()},
    )
    preflight.check = lambda trials, places: None
    main()

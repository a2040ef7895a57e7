"""Set once for all tests."""

import os
from pathlib import Path

import torch

from mgsweep.runner import connection

# On networks this small a second thread costs more than it brings, and another number of threads rounds differently.
torch.set_num_threads(1)

# The processes that tests start must find what the tests import: this checkout, and the training that replays curves.
ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])

# Ray reads its environment when it is imported, and any test may be the first of its process to do that.
connection.configure(None)

"""`python -m mgsweep`."""

from mgsweep.cli import main

main()

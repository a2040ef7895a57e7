"""The command line. Arguments are parsed before anything heavy is imported, so help and mistakes answer at once.

A command is a function in one of these modules and a line below; what it needs is imported inside of it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mgsweep import __version__
from mgsweep.cli import data, draw, keep, look, weights
from mgsweep.cli.run import run
from mgsweep.cli.slurm import slurm
from mgsweep.errors import InvalidInput, MgsweepError

app = typer.Typer(
    help="Sweeps for model guidance: train a grid of guided classifiers, store it as Parquet, draw its figures.",
    epilog="Exit codes: 0 done, 1 some trials failed or a limit leaves room for none, 2 wrong usage or sweep; "
    "75 stopped by a signal or --until, 130 interrupted by Ctrl-C: run again to resume.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"mgsweep {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """What may stand before a command."""


app.command()(run)
app.command()(look.plan)
app.command()(look.suggest)
app.command()(look.status)
app.command()(look.trials)
app.command(name="show")(look.show_trial)
app.command()(look.logs)
app.command()(draw.figures)
app.command()(draw.tables)
app.command()(draw.gallery)
app.command()(draw.report)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")
app.command()(keep.compact)
app.command()(keep.verify)
app.command()(keep.clean)
app.command()(keep.export)
app.command()(keep.merge)
app.command()(slurm)
app.command()(look.schema)
app.command()(look.doctor)


def main() -> None:
    """Entry point: an error meant for the user is shown as its message."""
    try:
        app()
    except MgsweepError as error:
        from mgsweep.screen import warnings

        count = len(error.problems) if isinstance(error, InvalidInput) else 1
        warnings.print("[red]error[/]" if count == 1 else f"[red]{count} errors[/]", end=" " if count == 1 else "\n")
        warnings.print(str(error), markup=False, soft_wrap=True)
        raise SystemExit(error.exit_code) from None

"""What a user sees: tables, and a run as it happens. A live display on a terminal, one line an event elsewhere."""

from __future__ import annotations

import csv
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Literal, get_args

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mgsweep.labels import label, shared
from mgsweep.trial import Trial

Format = Literal["table", "json", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)
Cells = dict[str, Any]
Part = RenderableType
"""Something that can be printed: a table, a heading."""

LONG = 200
"""Letters in a line of a pipe or file: rows of a table stay whole, so that grep finds all of them."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else LONG)
warnings = Console(stderr=True, highlight=False)


def command(words: Iterable[str]) -> str:
    """A command line to copy, as markup."""
    return f"[bold]{escape(shlex.join(words))}[/]"


def percent(value: Any) -> str:
    """A share in [0, 1] as it is drawn: in percent, one decimal; a dash for none."""
    return "–" if value is None or value != value else f"{100 * value:.1f}"


def duration(seconds: float) -> str:
    """Seconds as 42 s, 3 min or 2.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Bytes as 12 kB, 3.4 MB or 5.6 GB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def show(rows: Sequence[Cells], form: Format = "table", title: str = "") -> None:
    """Print rows that share their columns. Numbers stand to the right."""
    if form == "json":
        print(json.dumps(list(rows), indent=1, default=str))
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
    else:
        if title:
            console.print(f"[bold]{title}[/]", soft_wrap=True)
        console.print(table(rows))


def heading(text: str) -> Part:
    """A line above a table that is not the first."""
    return Text(f"\n{text}", style="bold")


def watch(parts: Callable[[], Iterable[Part]], every: float) -> None:
    """Show parts, made anew every so many seconds, until Ctrl-C: in place on a terminal, else one below another."""
    try:
        with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:
            while True:
                group = Group(*parts(), Text(f"\n{time.strftime('%H:%M:%S')}  Ctrl-C ends", style="dim"))
                if live:
                    live.update(group, refresh=True)
                else:
                    console.print(group)
                time.sleep(every)
    except KeyboardInterrupt:
        pass


def table(rows: Sequence[Cells]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0] if rows else ():
        numeric = all(isinstance(row[name], int | float) or _is_number(row[name]) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *(Text("–" if value is None else str(value)) for value in row.values())  # as text: it may hold brackets
        )
    return table


def _harmless(value: Any) -> Any:
    """A cell for CSV that a spreadsheet takes for text, not for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _is_number(value: Any) -> bool:
    return value is None or str(value).replace(".", "").replace("–", "").strip().isdigit() or value == "–"


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for as long as the context lasts; tell it what is done and what there is in all."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


class Screen:
    """A `runner.Listener` that shows the run; use it as a context manager around the run."""

    def __init__(self, trials: Iterable[Trial], quiet: bool = False) -> None:
        trials = list(trials)
        self._quiet, self._known = quiet, {trial.id for trial in trials}
        self._shared = shared(trials)
        self._started = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), _Scores(), console=console
        )
        self._total = self._bars.add_task("[bold]all epochs", total=sum(trial.epochs for trial in trials))
        self._tasks: dict[str, Any] = {}
        self._ended = 0
        live = console.is_terminal and not quiet
        self._live = Live(Group(self._bars), console=console, refresh_per_second=4) if live else None

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._bars.update(self._total, visible=False)
            for task in self._tasks.values():
                self._bars.update(task, visible=False)
            self._live.stop()

    def started(self, trial: Trial) -> None:
        """Show a bar for the trial."""
        if trial.id not in self._known:  # a search suggested it meanwhile
            self._known.add(trial.id)
            self._bars.update(self._total, total=(self._bars.tasks[0].total or 0) + trial.epochs)
        self._tasks[trial.id] = self._bars.add_task(self._label(trial), total=trial.epochs)
        if not self._live:
            self._say(f"started  {trial.id}  {self._label(trial)}")

    def progressed(self, trial: Trial, row: Cells) -> None:
        """Move the trial's bar."""
        epoch = int(row["epoch"])
        before = self._bars.tasks[self._bars.task_ids.index(self._tasks[trial.id])].completed
        self._bars.update(self._tasks[trial.id], completed=epoch, f1=row.get("f1"), epg=row.get("epg"))
        self._bars.advance(self._total, max(0, epoch - before))
        self._bars.update(self._total, left=self._left())

    def finished(self, trial: Trial) -> None:
        """Say so, and take the bar away."""
        task = self._bars.tasks[self._bars.task_ids.index(self._tasks[trial.id])]
        scores = f"F1 {percent(task.fields.get('f1'))}  EPG {percent(task.fields.get('epg'))}"
        self._end(trial, f"[green]done[/]     {trial.id}  {self._label(trial)}  {scores}")

    def stopped(self, trial: Trial) -> None:
        """Say after how many epochs; the rest of them need not be waited for."""
        task = self._bars.tasks[self._bars.task_ids.index(self._tasks[trial.id])]
        self._bars.update(self._total, total=(self._bars.tasks[0].total or 0) - trial.epochs + int(task.completed))
        epochs = f"after {task.completed:.0f} of {trial.epochs} epochs"
        self._end(trial, f"[yellow]stopped[/]  {trial.id}  {self._label(trial)}  {epochs}")

    def failed(self, trial: Trial, error: str) -> None:
        """Say why; never hidden, not even when quiet."""
        self._end(trial, f"[red]failed[/]   {trial.id}  {self._label(trial)}  {escape(_line(error))}", always=True)

    def repeated(self, trial: Trial, error: str) -> None:
        """Say why, and take the bar away until the next attempt."""
        self._bars.remove_task(self._tasks.pop(trial.id))
        self._say(f"[yellow]again[/]    {trial.id}  {self._label(trial)}  {escape(_line(error))}")

    def left(self, trial: Trial) -> None:
        """Take the bar away."""
        self._bars.remove_task(self._tasks.pop(trial.id))

    def _label(self, trial: Trial) -> str:
        return label(trial, self._shared)

    def _end(self, trial: Trial, text: str, always: bool = False) -> None:
        self._ended += 1
        self._bars.remove_task(self._tasks.pop(trial.id))
        self._say(f"{text}  [dim]{self._ended}/{len(self._known)}, {duration(self._left())} left[/]", always)

    def _say(self, text: str, always: bool = False) -> None:
        if always or not self._quiet:
            console.print(text, soft_wrap=True)

    def _left(self) -> float:
        total = self._bars.tasks[0]
        elapsed = time.monotonic() - self._started
        return elapsed * (total.total or 0) / total.completed - elapsed if total.completed else float("nan")


def _line(error: str) -> str:
    return error.strip().splitlines()[0] if error.strip() else "unknown error"


class _Scores(ProgressColumn):
    """F1 and EPG of a trial's bar, the time left of the whole run's."""

    def render(self, task: Task) -> Text:
        """The text behind one bar."""
        if "left" in task.fields:
            return Text(f"{duration(task.fields['left'])} left", style="dim")
        if task.fields.get("f1") is None:
            return Text("")
        return Text(f"F1 {percent(task.fields['f1'])}  EPG {percent(task.fields.get('epg'))}", style="cyan")

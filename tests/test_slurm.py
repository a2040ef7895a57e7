"""The batch script that `mgsweep slurm` prints, run with commands of these names that only note how they are called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mgsweep.cli import app
from mgsweep.errors import InvalidInput

COMMANDS = {
    "scontrol": 'echo "$@" >> "$NOTES/scontrol"; [ "$1" = show ] && echo node1; true',
    "srun": '"$@"',
    "ray": 'echo "$@" >> "$NOTES/ray"; cp "$RAY_AUTH_TOKEN_PATH" "$NOTES/token"\n'
    'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    "mgsweep": f'echo "$@" > "$NOTES/arguments"\nexec {sys.executable} -c "\n'
    "import pathlib, signal, sys, time\n"
    "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75))\n"
    "pathlib.Path('$NOTES/began').touch()\n"
    'time.sleep($SECONDS_TO_RUN)"',
}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A folder with a sweep whose name needs quoting, its batch script, and the commands."""
    (tmp_path / "bin").mkdir()
    for name, body in COMMANDS.items():
        file = tmp_path / "bin" / name
        file.write_text(f"#!/bin/bash\n{body}\n")
        file.chmod(0o755)
    (tmp_path / "notes").mkdir()
    sweep = tmp_path / "my sweep;x.yaml"
    sweep.write_text("name: demo\ngrids: [{dataset: shapes, model: bcos}]")
    options = ["--store", str(tmp_path / "results"), "--nodes", "2", "--gpus", "4", "--time", "1-00:00:00"]
    printed = CliRunner().invoke(app, ["slurm", str(sweep), *options])
    assert printed.exit_code == 0
    (tmp_path / "job.sh").write_text(printed.stdout)
    return tmp_path


def start(job: Path, seconds: float) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ, "PATH": f"{job / 'bin'}:{os.environ['PATH']}", "NOTES": str(job / "notes"),
        "SECONDS_TO_RUN": str(seconds), "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_END_TIME": "2000000000",
    }  # fmt: skip
    return subprocess.Popen(["bash", "job.sh"], cwd=job, env=environment)


def notes(job: Path, name: str) -> str:
    return (job / "notes" / name).read_text()


def test_it_asks_slurm_for_what_the_options_say(job: Path) -> None:
    text = (job / "job.sh").read_text()
    for line in ("--nodes=2", "--gpus-per-node=4", "--time=1-00:00:00", "--signal=B:SIGUSR1@300", "--requeue"):
        assert f"#SBATCH {line}\n" in text
    assert text.index("#SBATCH --output") < text.index("set -u")  # Slurm reads no further than the first command


def test_a_sweep_that_is_done_ends_the_job(job: Path) -> None:
    with start(job, 0) as process:
        assert process.wait(30) == 0
    sweep, store = job / "my sweep;x.yaml", job / "results"
    assert notes(job, "arguments") == (
        f"run {sweep} --store {store} --address node1:6379 --until 1999999700 --grace 280\n"
    )
    assert "symmetric-run --address node1:6379 --min-nodes 2 --" in notes(job, "ray")
    assert len(notes(job, "token")) == 64
    assert notes(job, "token") not in notes(job, "ray") + notes(job, "arguments")
    assert not list(job.glob(".mgsweep-*"))
    assert "requeue" not in notes(job, "scontrol")


def test_before_its_end_the_driver_is_told_and_the_job_queued_again(job: Path) -> None:
    with start(job, 60) as process:
        while not (job / "notes" / "began").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(30) == 75
    assert notes(job, "scontrol").endswith("requeue 7\n")
    assert not list(job.glob(".mgsweep-*"))  # nor the token


@pytest.mark.parametrize("option", ["--time=1;rm", "--partition=a b", "--partition=$(x)", "--time=1\n#SBATCH"])
def test_what_would_not_be_one_word_of_the_script_is_refused(job: Path, option: str) -> None:
    with pytest.raises(InvalidInput, match="expected letters, digits"):
        CliRunner().invoke(app, ["slurm", str(job / "my sweep;x.yaml"), option], catch_exceptions=False)

"""`mgsweep slurm`: a batch script that runs a sweep on Slurm, again and again until it is done."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mgsweep.cli.options import StoreFolder, SweepFile
from mgsweep.errors import InvalidInput

SCRIPT = """\
#!/bin/bash
# A Ray cluster over the nodes of this job, and the sweep on it. Submit it with sbatch from the folder of the sweep.
#SBATCH --job-name=mgsweep-{name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gpus-per-node={gpus}
#SBATCH --time={time}
#SBATCH --signal=B:SIGUSR1@{notice}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=mgsweep-{name}-%j.log
{partition}
# Every node must see this folder, {store} and the environment.
set -u
umask 077
head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# Whoever reaches Ray's ports can run code here, so every connection has to show a token.
scratch=$(mktemp -d "$PWD/.mgsweep-$SLURM_JOB_ID-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$scratch/token"
od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' > "$RAY_AUTH_TOKEN_PATH"

# symmetric-run starts Ray on every node, runs the command on the head, and stops every Ray of these nodes at the end.
# Only the driver is told of the job's end: the signal would kill Ray itself.
srun ray symmetric-run --address "$head_node:6379" --min-nodes {nodes} -- \\
    bash -c 'echo $$ > "$0"; exec "$@"' "$scratch/driver" \\
    mgsweep run {file} --store {store} --address "$head_node:6379" \\
    --until "$((SLURM_JOB_END_TIME - {notice}))" --grace {grace} &
step=$!
trap 'kill -USR1 "$(cat "$scratch/driver")"' USR1
wait "$step"; code=$?
while [ "$code" -eq 138 ]; do wait "$step"; code=$?; done  # 128 + SIGUSR1: it only ended the waiting
rm -rf "$scratch"

# 75: stopped with work left. Everything finished is kept, so the same job goes on.
if [ "$code" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""


def slurm(
    file: SweepFile,
    store: StoreFolder = Path("results"),
    nodes: Annotated[int, typer.Option(min=1, help="Nodes of the job.")] = 1,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs of each node.")] = 8,
    time: Annotated[str, typer.Option(metavar="D-HH:MM:SS", help="Wall time of the job.")] = "24:00:00",
    notice: Annotated[int, typer.Option(min=30, help="Seconds before its end to stop in good order.")] = 300,
    partition: Annotated[str | None, typer.Option(help="Partition to submit to.")] = None,
) -> None:
    """Print a batch script for Slurm: Ray over the job's nodes, stopped in good order, requeued until all is done."""
    from mgsweep.plan import load

    for option, value in (("--time", time), ("--partition", partition)):
        if value is not None and not set(value) <= set(_PLAIN):
            raise InvalidInput.of(f"expected letters, digits and any of - _ : . , got {value!r}", where=option)
    print(
        SCRIPT.format(
            name=load(file).name,
            nodes=nodes,
            gpus=gpus,
            time=time,
            notice=notice,
            grace=notice - 20,
            partition=f"#SBATCH --partition={partition}\n" if partition else "",
            file=shlex.quote(str(file.resolve())),
            store=shlex.quote(str(store.resolve())),
        ),
        end="",
    )


_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:.,"

"""Several nodes on this machine, with GPUs that only Ray believes in: nodes go, nodes come, the sweep ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from chaos import Chaos, environment

DRIVER = """
import json, sys, threading, time
from pathlib import Path

from mgsweep.runner import cluster, connection
connection.configure("given")
import ray
from ray.cluster_utils import Cluster
ray._private.utils.set_sigterm_handler = lambda handler: None  # nodes are added by a thread, which cannot set one
from chaos import Chaos, Silent
from replay import Replay
from mgsweep import runner
from mgsweep.runner import Places

folder, what = Path(sys.argv[1]), sys.argv[2]
chaos = Chaos(folder, families=2, children=5, epochs=4, extra="resources: {gpu: 0.5}")
here = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
nodes = [here.add_node(num_cpus=1, num_gpus=1) for _ in range(2)]

def act():
    chaos.wait_for(4)
    if what == "one dies":
        here.remove_node(nodes[0], allow_graceful=False)
    elif what == "all die":
        for node in nodes:
            here.remove_node(node, allow_graceful=False)
        time.sleep(3)
        here.add_node(num_cpus=2, num_gpus=1)
    else:
        here.add_node(num_cpus=2, num_gpus=1)
    time.sleep(1000)  # nodes end with the thread that has started them

threading.Thread(target=act, daemon=True).start()
plan = chaos.plan
agenda = runner.agenda(plan, chaos.store)
chaos.store.begin(plan.text, plan.trials)
training = Replay(folder, delay=0.5)
outcome = cluster.run(
    agenda, Places(chaos.store.path), Silent(), plan.resources, here.address, training=training, insecure=True
)
causes = [attempt["cause"] for attempts in chaos.store.attempts().values() for attempt in attempts]
print(json.dumps([outcome.finished, outcome.failed, causes]))
here.shutdown()
"""


@pytest.fixture
def chaos(tmp_path: Path) -> Chaos:
    return Chaos(tmp_path, families=2, children=5, epochs=4, extra="resources: {gpu: 0.5}")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["f06 one dies", "f07 all die", "f08 one joins"])
def test_f06_f07_f08_nodes_come_and_go(chaos: Chaos, what: str) -> None:
    here = Path(__file__).parent
    paths = f"{environment()['PYTHONPATH']}:{here}:{here.parent / 'support'}"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(chaos.folder), what[4:]],
        capture_output=True, text=True, timeout=280, check=False,
        env={**environment(), "PYTHONPATH": paths, "RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "[12, 0, " in done.stdout
    causes = done.stdout.strip().splitlines()[-1]
    assert ("lost" in causes) == ("die" in what), causes
    assert "died" not in causes
    chaos.check()

"""A cluster without workers when the sweep begins, as after `ray up cluster.yaml`: Ray's autoscaler, on fake nodes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from chaos import Chaos, environment, processes_of, until

# As Ray's fake provider has it; not imported, for Ray reads its environment when it is, and other tests set that.
FAKE_HEAD_NODE_ID = 51 * "f" + "00000"
RAY = Path(sys.executable).with_name("ray")
UNPROTECTED = {**environment(), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
FAKE = {
    "RAY_FAKE_CLUSTER": "1",
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
}
HEAD = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
GPU = {"resources": {"CPU": 1, "GPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2}
UNUSED = ["cluster_synced_files", "rsync_exclude", "rsync_filter", "initialization_commands", "setup_commands"]
UNUSED += [f"{node}_{what}_commands" for node in ("head", "worker") for what in ("setup", "start_ray")]


def config(address: str) -> str:
    """An autoscaler's, whose nodes are processes here with GPUs that only Ray believes in."""
    provider = {"type": "fake_multinode", "gcs_address": address, "use_node_id_as_ip": True}
    provider |= {"disable_node_updaters": True, "disable_launch_config_check": True}
    return json.dumps(
        {
            "cluster_name": "fake", "provider": provider, "auth": {"ssh_user": "nobody"}, "max_workers": 2,
            "available_node_types": {"ray.head.default": HEAD, "gpu": GPU}, "head_node_type": "ray.head.default",
            "idle_timeout_minutes": 0.1, "upscaling_speed": 1.0, "docker": {}, "file_mounts": {},
            "file_mounts_sync_continuously": False,
            **{name: [] for name in UNUSED},
        }
    )  # fmt: skip


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a cluster of one head without CPUs, and the log of its autoscaler."""
    folder = Path(tmp_path_factory.mktemp("ray"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    (folder / "config.yaml").write_text(config(address))
    options = {"node-ip-address": "127.0.0.1", "port": port, "num-cpus": 0, "include-dashboard": "false"}
    options |= {"temp-dir": folder, "autoscaling-config": folder / "config.yaml", "object-store-memory": 100 * 2**20}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    head = subprocess.Popen(
        [RAY, "start", "--head", "--block", *arguments], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**UNPROTECTED, **FAKE},
    )  # fmt: skip
    try:
        until(lambda: _answers(port))
        yield address, folder / "session_latest" / "logs" / "monitor.log"
    finally:
        for process in processes_of(head.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        head.wait()


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_nodes_are_added_for_trials_that_wait(tmp_path: Path, cluster: tuple[str, Path]) -> None:
    address, log = cluster
    chaos = Chaos(tmp_path, families=2, children=3, epochs=4, delay=1.0, extra="resources: {gpu: 1}")
    done = subprocess.run(
        chaos.command("--address", address), capture_output=True, text=True, timeout=280, check=False, env=UNPROTECTED
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resources.cpu: a trial asks for 1, the largest node has 0; waiting for a node to join" in done.stderr
    chaos.check()
    assert "Adding 2 node(s) of type gpu" in log.read_text()  # one for each trial that can begin

"""Long tests of the whole: kills at random, the head of a cluster killed, messages that come late."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from ballistic import kill_until_done, name_of
from chaos import Chaos, processes_of

pytestmark = pytest.mark.slow


def kill(what: str, driver: subprocess.Popen[str]) -> None:
    """Those of a driver's processes whose command line has this in it."""
    for pid in processes_of(driver.pid):
        if what in name_of(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(1500)
def test_f09_f18_kills_at_random_until_all_is_done(tmp_path: Path) -> None:
    assert sum(kill_until_done(tmp_path, 12, seed=1).values()) <= 12


def test_f10_the_head_of_the_cluster_is_killed(tmp_path: Path) -> None:
    """The driver is lost with it, a minute later; the same command goes on."""
    chaos = Chaos(tmp_path, epochs=4, delay=6)  # so that there is work left then
    with chaos.begun() as process:
        chaos.wait_for(2)
        kill("gcs_server", process)
        process.wait(timeout=120)
        assert process.returncode != 0
    chaos.delay = 0
    chaos.settle()


def test_f10_the_raylet_of_the_driver_is_killed(tmp_path: Path) -> None:
    """Ray ends the driver some seconds later; before that the user is told, and a batch system to run it again."""
    chaos = Chaos(tmp_path, epochs=4, delay=0.3)
    with chaos.begun() as process:
        chaos.wait_for(2)
        kill("/raylet ", process)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 75, output
    assert "Ray has died on this machine; the same command goes on from where it was" in output
    chaos.delay = 0
    chaos.settle()


LATE = (
    "NodeManagerService.grpc_server.RequestWorkerLease",
    "NodeManagerService.grpc_server.PrepareBundleResources",
    "NodeManagerService.grpc_server.CommitBundleResources",
    "PlacementGroupInfoGcsService.grpc_client.CreatePlacementGroup.OnReplyReceived",
    "ActorInfoGcsService.grpc_client.CreateActor.OnReplyReceived",
    "CoreWorkerService.grpc_server.PushTask",
    "CoreWorkerService.grpc_client.PushTask.OnReplyReceived",
)
"""By what Ray reserves room, starts actors, calls them and hears from them. Of all events of its servers (`*`) held up,
Ray 2.60 sooner or later fails a check of its own."""


def test_f46_messages_that_come_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by up to 0.3 s."""
    monkeypatch.setenv("RAY_testing_asio_delay_us", ",".join(f"{name}=0:300000" for name in LATE))
    Chaos(tmp_path).settle()

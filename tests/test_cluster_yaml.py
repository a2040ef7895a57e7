"""cluster.yaml is what `ray up` accepts. Checked offline, against Ray's own schema."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def config() -> Any:
    return YAML(typ="safe").load(Path(__file__).parents[1] / "cluster.yaml")


@pytest.fixture(scope="module")
def validate() -> Any:
    from ray.autoscaler._private.util import prepare_config, validate_config

    return lambda config: validate_config(prepare_config(copy.deepcopy(config)))


@pytest.mark.filterwarnings("ignore")  # of Ray's own imports
def test_it_is_valid(config: Any, validate: Any) -> None:
    validate(config)


@pytest.mark.filterwarnings("ignore")
def test_a_misspelt_key_is_refused(config: Any, validate: Any) -> None:
    with pytest.raises(Exception, match="max_worker"):
        validate({**config, "max_worker": 3})


def test_connections_are_authenticated_and_the_dashboard_is_private(config: Any) -> None:
    starts = [c for key in ("head", "worker") for c in config[f"{key}_start_ray_commands"] if "ray start" in c]
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]
    assert config["file_mounts"] == {f"/home/{config['auth']['ssh_user']}/.ray/auth_token": "~/.ray/auth_token"}
    assert any("export RAY_AUTH_MODE=token" in command for command in config["setup_commands"])

"""How published actors are converted, as the page of the benchmark has it: what they do stays what it was."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dfplan.domains.published.policy import read_policy

PAGE = Path(__file__).parents[1] / "benchmarks" / "locomotion" / "README.md"


def test_a_converted_actor_does_what_it_did(tmp_path):
    baselines = pytest.importorskip("stable_baselines3")
    actor = baselines.SAC("MlpPolicy", "Pendulum-v1", buffer_size=1, policy_kwargs={"net_arch": [8, 6]}, seed=0)
    actor.save(tmp_path / "actor.zip")
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", program, "actor.zip", "actor.safetensors"], check=True, cwd=tmp_path)
    sizes = {"observation_dim": 3, "action_dim": 1, "env_id": "Pendulum-v1"}
    policy, origin = read_policy(tmp_path / "actor.safetensors", **sizes)
    assert origin["source"] == "actor.zip"
    for shown in np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32):
        expected, _ = actor.predict(shown, deterministic=True)  # stretched to the bounds of Pendulum, 2
        assert policy.act(shown, None) == pytest.approx(expected / 2, abs=1e-6)

"""The swap as a domain: data of its driver, by state and by sight, and who drives."""

import gymnasium
import numpy as np
import pytest

from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.find import find_domain
from dfplan.domains.scripted.by_sight import SeenDomain
from dfplan.domains.scripted.domain import ScriptedDomain
from dfplan.errors import UserError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("swap") / "swap.hdf5"
    assert main(["generate", "env=pixel-swap", "num_steps=300", "noise=0.1", f"output={path}"]) == 0
    return path


def test_data_are_episodes_that_end_in_success(made):
    data, domain = read(made), find_domain("swap-v0")
    assert isinstance(domain, ScriptedDomain)
    assert data.observations.shape[1] == domain.spec.observation_dim == 10
    assert len(data.starts) - 1 >= 3
    np.testing.assert_array_equal(data.rewards[data.starts[1:] - 2], 1)
    assert data.rewards.sum() == len(data.starts) - 1


def test_by_sight_the_same_data_show_what_the_environment_shows(made):
    domain = find_domain("pixel-swap-v0")
    assert isinstance(domain, SeenDomain)
    data = domain.take(read(made), say=print)
    shown = domain.show(data)
    env = gymnasium.make("dfplan_envs:pixel-swap-v0")
    observed = env.unwrapped.observe(data.observations[40:45])
    np.testing.assert_array_equal(shown.pictures["image"].at(np.arange(40, 45)), observed["image"])
    np.testing.assert_array_equal(shown.observations[40:45], observed["state"])
    assert shown.observations.shape[1] == domain.spec.observation_dim == 4


def test_the_script_succeeds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "env=swap", "agent=script", "n_episodes=3", "seed=1", "report=false", "output=out"]) == 0
    assert "100.0" in capsys.readouterr().out


@pytest.mark.parametrize("env", ["swap", "pixel-swap"])
def test_what_was_generated_last_is_found_by_that_word(env, tmp_path, monkeypatch):
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path))
    domain, folder = find_domain(f"{env}-v0"), tmp_path / "datasets"
    with pytest.raises(UserError, match=f"run `dfplan generate env={env}` first"):
        domain.load("generated", say=print, cache_folder=folder)
    assert main(["generate", f"env={env}", "num_steps=60"]) == 0
    assert len(domain.load("generated", say=print, cache_folder=folder).starts) == 2

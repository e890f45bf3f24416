"""Models at the Hugging Face Hub, by its own client and a hub of this machine that answers as the real one does."""

import sys
from pathlib import Path

import numpy as np
import pytest
from local_hub import LocalHub, ask

import dfplan
from dfplan.cli.build import find_weights
from dfplan.errors import UserError
from dfplan.models.library import WEIGHTS


def bundle_of(name, *, folder=""):
    return {f"{folder}{each.name}": each.read_bytes() for each in (WEIGHTS / name).glob("model.*")}


FILES = bundle_of("maze2d-umaze", folder="model/")
NEVER = {"train.py": b"print('never fetched')", "pytorch_model.bin": b"cos\nsystem\n(S'false'\ntR."}  # a pickle


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one repository, that of a run folder beside a program and a pickle."""
    hub = LocalHub()
    hub.commit("robots/umaze", FILES | NEVER)
    ask(hub, monkeypatch, cache=tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    yield hub
    hub.close()


@pytest.mark.parametrize("name", ["robots/umaze", "hf://robots/umaze", "hf://robots/umaze@main"])
def test_a_model_of_the_hub_is_that_which_was_put_there_and_nothing_else_is_fetched(name, hub):
    model, bundled = dfplan.load(name), dfplan.load("maze2d-umaze")
    for tensor, value in bundled.denoiser.state_dict().items():
        np.testing.assert_array_equal(model.denoiser.state_dict()[tensor], value)
    assert not [each for each in hub.asked if each.endswith(tuple(NEVER))]
    assert find_weights(name, env_name="maze2d-umaze").name == "model"
    hub.close()  # what was fetched once is there without a network
    assert dfplan.load(name).goal_radius == bundled.goal_radius


def test_a_revision_is_the_model_of_that_time(hub):
    first = hub.head("robots/umaze", "main")
    hub.commit("robots/umaze", bundle_of("maze2d-large", folder="model/"))
    tokens = [dfplan.load(name).num_tokens for name in ("hf://robots/umaze", f"hf://robots/umaze@{first}")]
    assert tokens == [dfplan.load(name).num_tokens for name in ("maze2d-large", "maze2d-umaze")]
    with pytest.raises(UserError, match="hf://robots/umaze@v9 could not be fetched"):
        dfplan.load("hf://robots/umaze@v9")


@pytest.mark.parametrize(("branch", "private"), [("", None), ("@trial/1", True)])
def test_what_is_pushed_is_loaded_again_byte_for_byte(branch, private, hub, tmp_path):
    name = dfplan.push_to_hub("maze2d-umaze", f"hf://lab/ball{branch}", private=private, license="mit")
    assert name == f"hf://lab/ball@{hub.head('lab/ball', branch[1:] or 'main')}"
    kept = hub.repositories["lab/ball"][branch[1:] or "main"]
    assert bundle_of("maze2d-umaze").items() <= kept.items()
    assert dfplan.load(name).goal_radius == dfplan.load("maze2d-umaze").goal_radius
    card = kept["README.md"].decode()
    assert hub.cards == [card]  # as the hub checks it
    head, _, text = card.removeprefix("---\n").partition("---\n")
    assert {"license: mit", "library_name: dfplan", "- diffusion-forcing"} <= set(head.splitlines())
    assert 'dfplan.load("hf://lab/ball")' in text
    assert "| rows of training data | 1,000,000 |" in text
    assert set(kept) - set(bundle_of("maze2d-umaze")) == {".gitattributes", "README.md"}  # and no pickle


@pytest.mark.parametrize("branch", ["main", "trial/1"])
def test_a_second_push_replaces_the_model_and_leaves_the_card_that_people_wrote(branch, hub):
    dfplan.push_to_hub("maze2d-umaze", f"lab/ball@{branch}")
    hub.commit("lab/ball", {"README.md": b"ours"}, branch=branch)
    dfplan.push_to_hub(WEIGHTS / "maze2d-large", f"lab/ball@{branch}")
    assert hub.repositories["lab/ball"][branch]["README.md"] == b"ours"
    assert dfplan.load(f"hf://lab/ball@{branch}").num_tokens == dfplan.load("maze2d-large").num_tokens


def test_a_push_that_cannot_be_is_refused_and_leaves_nothing_there(hub, tmp_path):
    for each in bundle_of("maze2d-umaze"):
        (tmp_path / each).write_bytes(FILES[f"model/{each}"][:-1])
    with pytest.raises(UserError, match="damaged"):
        dfplan.push_to_hub(tmp_path, "hf://lab/ball")
    with pytest.raises(UserError, match=r"'hf://ball' is no name of a model at the Hugging Face Hub"):
        dfplan.push_to_hub("maze2d-umaze", "hf://ball")
    assert not [each for each in hub.asked if "ball" in each]
    hub.may_write = False
    with pytest.raises(UserError, match=r"hf://lab/ball could not be uploaded to .*403.*hf auth login"):
        dfplan.push_to_hub("maze2d-umaze", "hf://lab/ball")
    assert "lab/ball" not in hub.repositories


def test_a_folder_comes_before_the_hub_unless_the_hub_is_meant(hub, tmp_path):
    Path("robots").mkdir()
    Path("robots/umaze").symlink_to(WEIGHTS / "maze2d-large")
    assert dfplan.load("robots/umaze").num_tokens == dfplan.load("maze2d-large").num_tokens
    assert dfplan.load("hf://robots/umaze").num_tokens == dfplan.load("maze2d-umaze").num_tokens


@pytest.mark.parametrize("name", ["robots/hopper", "robots/empty"])
def test_a_model_that_is_not_there_is_refused_in_one_line(name, hub):
    hub.commit("robots/empty", {"README.md": b"nothing"})
    with pytest.raises(UserError, match=r"robots/.*Hugging Face Hub") as caught:
        dfplan.load(name)
    assert "\n" not in str(caught.value)


def test_without_a_network_or_the_package_one_line_says_so(hub, monkeypatch):
    hub.close()
    with pytest.raises(UserError, match=r"no folder robots/umaze; .* Hugging Face Hub .* and the network"):
        dfplan.load("robots/umaze")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for attempt in (lambda: dfplan.load("robots/umaze"), lambda: dfplan.push_to_hub("maze2d-umaze", "robots/umaze")):
        with pytest.raises(UserError, match=r"pip install 'dfplan\[hub\]'"):
            attempt()


@pytest.mark.parametrize(
    "name",
    [
        "robots/../secrets",
        "hf://robots/../secrets",
        "a/b/c",
        "hf://a",
        "hf://a/b@",
        "/etc/passwd",
        "https://robots/umaze",
    ],
)
def test_what_is_no_name_of_the_hub_is_not_asked_for(name, hub):
    with pytest.raises(UserError, match="no model"):
        dfplan.load(name)
    assert hub.asked == []

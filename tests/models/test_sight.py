"""Observations of latents: what a planner is told while it acts is what it was trained on, whatever is shown."""

import numpy as np
import pytest
import torch

from dfplan.blocks import NUMBERS, Frames
from dfplan.errors import UserError
from dfplan.models.sight import copier, load_sight, open_sight
from dfplan.models.tokenizers import PrincipalTokenizer, save_tokenizer
from dfplan.types import Trajectories

SHAPE, LATENTS, STEPS = (16, 16, 3), 5, 12


def pictures(rows: int, *, seed: int, together: tuple[int, ...] = ()) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, size=(rows, *together, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eyes")
    tokenizer = PrincipalTokenizer(latent_dim=LATENTS, frame_shape=SHAPE)
    tokenizer.fit(torch.from_numpy(pictures(40, seed=0)))
    description = {"name": "principal", "latent_dim": LATENTS, "frame_shape": list(SHAPE)}
    save_tokenizer(folder, tokenizer, {"tokenizer": description})
    return folder


def recorded(cameras: dict[str, np.ndarray], *, state_dim: int = 0) -> Trajectories:
    """Two episodes."""
    generator = np.random.default_rng(1)
    return Trajectories(
        observations=generator.normal(size=(2 * STEPS, state_dim)).astype(np.float32),
        actions=generator.normal(size=(2 * STEPS, 2)).astype(np.float32),
        starts=np.array([0, STEPS, 2 * STEPS]),
        segment_ends=np.zeros(2 * STEPS, bool),
        source="two episodes",
        pictures={name: Frames.stored(each) for name, each in cameras.items()},
    )


def shown_at(data: Trajectories, rows: np.ndarray) -> np.ndarray:
    """What an environment shows there: a picture where there is nothing else, or a record."""
    assert data.pictures is not None
    if data.pictures.keys() == {"image"} and not data.observations.shape[1]:
        return data.pictures["image"].at(rows)
    fields = [(name, np.uint8, each.shape) for name, each in data.pictures.items()]
    record = np.zeros(len(rows), np.dtype([*fields, (NUMBERS, np.float32, data.observations.shape[1:])]))
    for name, each in data.pictures.items():
        record[name] = each.at(rows)
    record[NUMBERS] = data.observations[rows]
    return record


@pytest.mark.parametrize(
    ("cameras", "state_dim"),
    [
        ({"image": pictures(2 * STEPS, seed=2)}, 0),
        ({"image": pictures(2 * STEPS, seed=2)}, 3),
        ({"wrist": pictures(2 * STEPS, seed=2), "front": pictures(2 * STEPS, seed=3)}, 4),
        ({"stacked": pictures(2 * STEPS, seed=2, together=(2,))}, 1),
    ],
    ids=["a picture", "with a state", "two cameras", "a stack"],
)
@pytest.mark.parametrize(("stack", "stride"), [(1, 1), (2, 1), (3, 4)])
def test_who_acts_is_told_what_was_trained_on(cameras, state_dim, stack, stride, folder, tmp_path):
    data = recorded(cameras, state_dim=state_dim)
    sight = open_sight(folder, data, stack=stack, stride=stride)
    seen = sight.look(data, cache_folder=tmp_path)
    assert seen.observations.shape == (2 * STEPS, sight.observation_dim)
    both = np.array([0, STEPS])  # as they begin, side by side
    memory = sight.begin(shown_at(data, both))
    for step in range(STEPS):
        np.testing.assert_allclose(sight.told(memory), seen.observations[both + step], atol=1e-4)
        if step + 1 < STEPS:
            fresh = sight.begin(shown_at(data, both + step + 1))
            memory = sight.follow(memory, actions=data.actions[both + step], fresh=fresh)


def test_an_observation_says_what_is_seen_how_it_changed_and_what_was_done(folder, tmp_path):
    data = recorded({"image": pictures(2 * STEPS, seed=2)}, state_dim=1)
    sight = open_sight(folder, data, stack=2, stride=3)
    observed = sight.look(data, cache_folder=tmp_path).observations[7]
    latents = sight.places(shown_at(data, np.array([4, 7])))
    parts = [latents[1], data.observations[7], latents[1] - latents[0], data.actions[4:7].mean(axis=0)]
    np.testing.assert_allclose(observed, np.concatenate(parts), atol=1e-5)
    np.testing.assert_allclose(sight.goals(data.pictures["image"].at(np.array([7])))[0], observed[:LATENTS], atol=1e-5)
    with pytest.raises(UserError, match="goal_given=image"):
        sight.goals(np.zeros((1, 2)))


def test_pictures_are_looked_at_once(folder, tmp_path):
    looked = []

    def draw(states: np.ndarray) -> np.ndarray:
        looked.append(len(states))
        return np.broadcast_to(states[:, :, None, None], (len(states), *SHAPE)).astype(np.uint8)

    data = recorded({"image": pictures(2 * STEPS, seed=2)})
    data = Trajectories(**{**vars(data), "pictures": {"image": Frames.drawn(np.arange(24.0)[:, None], draw)}})
    sight = open_sight(folder, data, stack=1, stride=1)
    first, drawn = sight.look(data, cache_folder=tmp_path), len(looked)
    again = sight.look(data, cache_folder=tmp_path)
    assert len(looked) == drawn
    np.testing.assert_array_equal(first.observations, again.observations)
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_predicted_can_be_drawn(folder, tmp_path):
    shown = pictures(3, seed=0)
    sight = open_sight(folder, recorded({"image": pictures(2 * STEPS, seed=2)}), stack=2, stride=2)
    places = sight.places(shown)
    assert sight.frames(places).shape == shown.shape
    history = np.stack([places, places])
    assert sight.observations(history).shape == (3, sight.observation_dim)
    np.testing.assert_allclose(sight.observations(history)[:, LATENTS:], 0, atol=1e-6)


def test_a_planner_travels_with_its_eyes_and_no_others(folder, tmp_path):
    sight = open_sight(folder, recorded({"image": pictures(2 * STEPS, seed=2)}, state_dim=1), stack=2, stride=3)
    copier(folder)(tmp_path)
    loaded = load_sight(tmp_path, sight.description())
    shown = pictures(2, seed=5)
    np.testing.assert_array_equal(loaded.places(shown), sight.places(shown))
    assert (loaded.stack, loaded.stride, loaded.state_dim) == (2, 3, 1)
    with pytest.raises(UserError, match="not the tokenizer"):
        load_sight(tmp_path, sight.description() | {"tokenizer_sha256": "0" * 64})
    sizes = sight.description()["latents"]
    for wrong in ({}, sizes | {"stack": 0}, sizes | {"stride": 10**9}, sizes | {"more": 1}):
        with pytest.raises(UserError, match="how it sees"):
            load_sight(tmp_path, sight.description() | {"latents": wrong})


def test_pictures_of_another_size_are_refused(folder):
    with pytest.raises(UserError, match="task=autoencoder"):
        open_sight(folder, recorded({"image": np.zeros((2 * STEPS, 8, 8, 3), np.uint8)}), stack=1, stride=1)

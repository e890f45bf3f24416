"""The agent that sees: what it tells the agent inside is what a state estimator makes of its frames and actions."""

import numpy as np

from dfplan.agent.pixels import PixelAgent


class Inside:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.on_plan, self.observations, self.goals, self.restarts = None, [], None, []

    def reset(self, *, seeds, goals):
        self.goals = goals

    def restart(self, indices, *, goals):
        self.restarts.append((indices.tolist(), goals.tolist()))

    def act(self, observations):
        self.observations.append(observations)
        return np.array([[0.25, 0.0], [0.0, -0.5]], np.float32)


class BrightestPixel:
    """Sees frames with one bright pixel; it says the last movement, and in its place what was done then."""

    tells_places = True

    def places(self, frames):
        flat = frames[..., 0].reshape(len(frames), -1).argmax(axis=1)
        return np.stack([flat // frames.shape[2], flat % frames.shape[2]], axis=1).astype(np.float32)

    def begin(self, shown):
        positions = self.places(shown)
        return np.concatenate([positions, np.zeros_like(positions)], axis=1)

    def follow(self, memory, *, actions, fresh):
        return np.concatenate([fresh[:, :2], fresh[:, :2] - memory[:, :2] + actions], axis=1)

    def told(self, memory):
        return memory.astype(np.float32)

    def goals(self, told):
        return told if told.ndim == 2 else self.places(told)


def frames_at(*pixels):
    frames = np.zeros((len(pixels), 8, 8, 3), np.uint8)
    for frame, (row, column) in zip(frames, pixels, strict=True):
        frame[row, column] = 255
    return frames


def begun(goals=((7.0, 7.0), (0.0, 0.0))):
    inside = Inside()
    agent = PixelAgent(inside, sight=BrightestPixel())  # type: ignore[arg-type]
    agent.reset(seeds=[0, 1], goals=np.array(goals))
    return agent, inside


def test_an_observation_follows_from_the_last_one_the_action_and_the_frame():
    agent, inside = begun()
    for step in range(3):
        agent.act(frames_at((step, 0), (0, 2 * step)))
    np.testing.assert_array_equal(inside.observations[0], [[0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(inside.observations[1], [[1, 0, 1.25, 0], [0, 2, 0, 1.5]])
    np.testing.assert_array_equal(inside.observations[2], [[2, 0, 1.25, 0], [0, 4, 0, 1.5]])
    assert inside.observations[2].dtype == np.float32


def test_a_new_episode_remembers_nothing():
    agent, inside = begun()
    agent.act(frames_at((5, 5), (5, 5)))
    agent.reset(seeds=[2, 3], goals=np.zeros((2, 2)))
    agent.act(frames_at((1, 1), (2, 2)))
    np.testing.assert_array_equal(inside.observations[-1], [[1, 1, 0, 0], [2, 2, 0, 0]])


def test_an_episode_that_begins_anew_forgets_while_the_others_remember():
    agent, inside = begun()
    agent.act(frames_at((1, 0), (0, 1)))
    agent.act(frames_at((2, 0), (0, 2)))
    agent.restart(np.array([1]), goals=np.array([[3.0, 3.0]]))
    agent.act(frames_at((3, 0), (7, 7)))
    np.testing.assert_array_equal(inside.observations[-1], [[3, 0, 1.25, 0], [7, 7, 0, 0]])
    agent.act(frames_at((4, 0), (7, 6)))
    np.testing.assert_array_equal(inside.observations[-1], [[4, 0, 1.25, 0], [7, 6, 0, -1.5]])
    assert inside.restarts == [([1], [[3.0, 3.0]])]


def test_goals_are_positions_or_pictures_of_them():
    _, inside = begun(goals=frames_at((3, 4), (5, 6)))
    np.testing.assert_array_equal(inside.goals, [[3, 4], [5, 6]])


def test_whoever_listens_hears_of_plans():
    agent, inside = begun()
    heard = []
    inside.on_plan("before anyone listens")
    agent.on_plan = heard.append
    inside.on_plan("a plan")
    assert heard == ["a plan"]

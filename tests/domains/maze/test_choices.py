"""Choices in the T-maze are counted as the environment has them."""

import from_benchmarks
import numpy as np

from dfplan.domains.maze.demonstrations import build_tmaze

roll_out_choices = from_benchmarks.module("choices", of="memory").roll_out_choices


class Driver:
    """Drives up the stem and into an arm: the one that the light named, or always the same."""

    def __init__(self, arm=None, moves=True):
        self.env, self.arm, self.moves, self.told = build_tmaze("tmaze-v0"), arm, moves, []

    def reset(self, *, seeds):
        self.arms, self.turned = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=bool)

    def act(self, observations, *, levels=None):
        self.told.append(levels)
        if not self.moves:
            return np.zeros((len(observations), 2), np.float32)
        lit = observations[:, 4] != 0
        self.arms[lit] = observations[lit, 4]
        chosen = self.arms if self.arm is None else np.full(len(observations), self.arm)
        self.turned |= np.linalg.norm(observations[:, :2] - self.env.junction, axis=1) < 0.2
        targets = np.where(self.turned[:, None], [self.env.arms[int(each)] for each in chosen], self.env.junction)
        force = 2 * (3 * (targets - observations[:, :2]) - observations[:, 2:4])
        return np.clip(force, -1, 1).astype(np.float32)

    def finish(self, indices):
        assert len(np.unique(indices)) == len(indices)


def roll_out(agent, **changes):
    return roll_out_choices(agent, **({"env_id": "tmaze-v0", "num_episodes": 6, "seed": 0} | changes))


def test_one_who_remembers_is_always_right():
    found = roll_out(Driver())
    np.testing.assert_array_equal(found.choices, found.cues)
    summary = found.summary()
    assert summary["success"]["mean"] == 1.0
    assert (summary["correct"], summary["wrong_arm"], summary["no_arm"]) == (6, 0, 0)
    assert (found.steps < 256).all()


def test_one_who_does_not_look_is_right_in_exactly_half():
    summary = roll_out(Driver(arm=-1)).summary()
    assert (summary["correct"], summary["wrong_arm"], summary["chose_left"]) == (3, 3, 6)


def test_one_who_stays_chooses_nothing_until_time_is_up():
    found = roll_out(Driver(moves=False))
    assert (found.choices == 0).all()
    assert (found.steps == 256).all()
    assert found.summary()["success"]["mean"] == 0.0


def test_marks_tell_of_the_disturbed_and_are_withheld_if_asked():
    marked, unmarked, calm = Driver(moves=False), Driver(moves=False), Driver(moves=False)
    found = roll_out(marked, disturbed_share=0.25)
    told = np.stack(marked.told)
    assert set(np.unique(told)) == {0.0, 1.0}
    assert 0.2 < found.summary()["disturbed_share"] < 0.3
    np.testing.assert_array_equal(roll_out(unmarked, disturbed_share=0.25, marked=False).disturbed, found.disturbed)
    assert unmarked.told == [None] * 256
    assert roll_out(calm).disturbed.sum() == 0


def test_the_first_observations_can_be_hidden():
    agent = Driver(moves=False)
    roll_out(agent, hidden_steps=32)
    told = np.stack(agent.told)
    assert (told[:32] == 1).all()
    assert (told[32:] == 0).all()

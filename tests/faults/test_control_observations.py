"""Ten thousand injected observations: every action finite and in the action space, every fault named, then recovery.

The robot is a real maze, the agent and its gate are real; only clock and planner process are stand-ins, so that the ten
thousand ticks of 20 Hz take seconds and every one of them can be repeated.
"""

import gymnasium
import numpy as np
import pytest
from fake_planner import FakeClock, FakePlanner, counting_plan, fake_agent, maze_gate

PERIOD = 0.05
INJECTIONS = 10_000
KINDS = {
    "nan": ("not_finite", lambda good, generator: np.where(generator.random(4) < 0.5, np.nan, good)),
    "inf": ("not_finite", lambda good, generator: good + np.array([0, np.inf, 0, -np.inf])),
    "huge": ("range", lambda good, generator: good * 10.0 ** generator.uniform(3, 300)),
    "shape": ("shape", lambda good, generator: np.zeros(int(generator.choice([0, 1, 3, 5, 10**4])))),
    "matrix": ("shape", lambda good, generator: good[None]),
    "type": ("type", lambda good, generator: generator.choice(["a", "1"], size=4)),
    "object": ("type", lambda good, generator: [object()] * 4),
    "missing": ("missing", lambda good, generator: None),
    "stale": ("stale", lambda good, generator: good),
    "future": ("future", lambda good, generator: good),
    "stamp": ("stamp", lambda good, generator: good),
}
STAMPS = {"stale": -0.3, "future": 0.3, "stamp": np.nan}


def inject(kind, good, generator):
    """What arrives instead of a good observation, how far its stamp is off, and the fault it is."""
    fault, change = KINDS[kind]
    observation = change(good, generator)
    if kind == "nan" and np.isfinite(observation).all():
        observation[0] = np.nan
    return observation, STAMPS.get(kind, 0.0), fault


class Bench:
    """A maze driven in steps of a fake clock."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)
        self.planner = FakePlanner(FakeClock(), latency=0.03, make_plan=self._wander)
        self.agent = fake_agent(
            self.planner, gate=maze_gate(max_rate=np.array([50, 50, np.inf, np.inf])), max_bad_observations=14
        )
        self.env = gymnasium.make("dfplan_envs:maze2d-large-v1", max_episode_steps=10**9)
        self.good, info = self.env.reset(seed=seed)
        self.agent.reset(seed=seed, goal=info["goal"])

    def _wander(self, request):
        return counting_plan(request) | {"actions": self.generator.uniform(-1, 1, size=(64, 2))}

    def tick(self, kind=None):
        """One tick, with an injection of a kind or without; returns where the action came from."""
        observation, offset, fault = inject(kind, self.good, self.generator) if kind else (self.good, 0.0, None)
        begins = self.planner.clock.now
        action, info = self.agent.act(observation, deadline=begins + PERIOD, stamp=begins + offset)
        assert action.shape == (2,)
        assert self.env.action_space.contains(action)
        assert np.isfinite(action).all()
        assert (fault in info.faults) if fault else not set(info.faults) & {each for each, _ in KINDS.values()}
        assert info.source != "plan" or not fault
        assert np.isfinite(self.planner.requests[-1]["observation"]).all()
        self.good = self.env.step(action)[0]
        self.planner.clock.now = begins + PERIOD
        return info


@pytest.mark.slow
def test_bad_observations_change_nothing_but_the_rung_of_the_ladder():
    bench = Bench(seed=0)
    bench.tick()
    injected, latched, recoveries, rungs = 0, 0, [], set()
    while injected < INJECTIONS:
        for _ in range(int(bench.generator.integers(1, 18))):
            rungs.add(bench.tick(str(bench.generator.choice(list(KINDS)))).source)
            injected += 1
        if bench.agent.is_stopped:
            latched += 1
            assert bench.tick().source == "stopped"  # a good observation does not let it go
            bench.agent.release()
        ticks = 1
        while bench.tick().source != "plan":
            ticks += 1
            assert ticks < 5
        recoveries.append(ticks)
        for _ in range(int(bench.generator.integers(0, 20))):
            assert bench.tick().source == "plan"
    assert rungs == {"queue", "hold", "safe", "stopped"}
    assert latched > 50
    # A replanning takes one tick here (0.03 s of 0.05 s): the observation is asked for, the plan is there at the next.
    assert max(recoveries) <= 2


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_bad_observation_is_named(kind):
    bench = Bench(seed=0)
    bench.tick()
    assert bench.tick(kind).faults == (KINDS[kind][0],)
    assert bench.tick().source == "plan"

"""Bad observations of every kind, thrown at the real agent and planner in a maze that waits for them."""

import math
import time
from collections import Counter
from typing import Any

import gymnasium
import numpy as np
from drive_maze_robot import build_agent

KINDS = ("nan", "inf", "huge", "shape", "type", "missing", "stale", "future")
EXPECTED = {"nan": "not_finite", "inf": "not_finite", "huge": "range"}  # the others are called as they are
LONGEST_BURST = 30  # bad observations in a row; 20 latch


def spoil(kind: str, good: np.ndarray, generator: np.random.Generator) -> tuple[Any, float]:
    """What arrives instead of a good observation, and by how many seconds its stamp is off."""
    place, spoilt = int(generator.integers(len(good))), good.copy()
    match kind:
        case "nan" | "inf" | "huge":
            spoilt[place] = {"nan": np.nan, "inf": -np.inf, "huge": 10.0 ** generator.uniform(3, 300)}[kind]
            return spoilt, 0.0
        case "shape":
            return np.zeros(int(generator.choice([0, 1, 3, 5, 1000]))), 0.0
        case "type":
            return ["x"] * len(good), 0.0
        case "missing":
            return None, 0.0
        case _:
            return good, {"stale": -10.0, "future": 10.0}[kind]


def inject_observations(*, injections: int, seed: int, weights: Any) -> dict[str, Any]:
    """Bursts of bad observations, good ones between them.

    Returns:
        How often each fault was injected and flagged, which rungs acted, how many actions were not finite or outside
        the action space, and after how many plans the agent was back on a plan.
    """
    agent = build_agent(weights=weights, rate=20.0, controller="actions", plan_timeout=30.0, period=None)
    env = gymnasium.make("dfplan_envs:maze2d-large-v1", goal="random", max_episode_steps=10**9)
    generator, good = np.random.default_rng(seed), env.reset(seed=seed)[0]
    agent.reset(seed=seed, goal=env.reset(seed=seed)[1]["goal"])
    found = {name: Counter() for name in ("injected", "flagged", "sources", "plans_to_recover")}
    bad_actions = releases = done = 0
    while done < injections:
        for _ in range(min(int(generator.integers(1, LONGEST_BURST)), injections - done)):
            kind = str(generator.choice(KINDS))
            observation, offset = spoil(kind, good, generator)
            now = time.monotonic()
            action, info = agent.act(observation, stamp=now + offset)
            found["injected"][kind] += 1
            found["flagged"][kind] += EXPECTED.get(kind, kind) in info.faults
            found["sources"][info.source] += 1
            bad_actions += not env.action_space.contains(action)
            good, done = env.step(action)[0], done + 1
        if agent.is_stopped:
            agent.release()
            releases += 1
        plans, info, first = 0, None, math.inf
        while info is None or info.source not in ("plan", "queue"):
            action, info = agent.act(good, deadline=math.inf)
            bad_actions += not env.action_space.contains(action)
            good, first = env.step(action)[0], min(first, info.step)
            plans += info.joined and info.step - info.plan_age >= first  # made from good input
        found["plans_to_recover"][str(plans)] += 1
    agent.close()
    return {name: dict(counter) for name, counter in found.items()} | {
        "bad_actions": bad_actions,
        "latched_and_released": releases,
    }

"""Measures what disturbed observations cost on maze2d-large, and what showing them at a raised noise level saves."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.agent import MPCAgent, PlannedActions, ShootingTracker
from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.evaluation.metrics import mean_interval
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.models import ForcingModel, load_forcing_model
from dfplan.models.bundle import load_bundle
from dfplan.planner import Planner, PlannerSettings
from dfplan.realtime.motion import NoiseEstimate, integrator_motion
from dfplan.realtime.planner_program import level_of_noise
from dfplan.types import PlanEvent

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

CONTROLLERS = ("shooting", "actions")
WEIGHTS = bundled_weights() / "maze2d-large"
STEPS = 800
DISTURBANCES: dict[str, dict[str, float]] = {
    "none": {},
    "noise 0.1": {"noise": 0.1},
    "noise 0.3": {"noise": 0.3},
    "noise 0.6": {"noise": 0.6},
    "delayed 4 steps": {"delay": 4},
    "delayed 16 steps": {"delay": 16},
    "dropped 50 %": {"dropped": 0.5},
    "dropped 95 %": {"dropped": 0.95},
    "biased 0.2": {"bias": 0.2},
    "biased 0.4": {"bias": 0.4},
}
# What is done about it. "trusted": nothing; a missing observation is the last one. "raised": the planner is shown it at
# the level of its noise, as estimated. "reckoned": that, and missing and late ones are carried on by the point mass.
TREATMENTS = ("trusted", "raised", "reckoned")


class DisturbedAgent:
    """An agent whose sensors are bad; each episode's disturbance follows from its seed alone.

    Args:
        agent: acts.
        model: its model.
        treatment: one of ``TREATMENTS``.
        noise: standard deviation added to positions and velocities.
        delay: steps that an observation is late.
        dropped: share of observations that do not arrive.
        bias: added to the first coordinate.
    """

    def __init__(
        self,
        agent: MPCAgent,
        *,
        model: ForcingModel,
        treatment: str,
        noise: float = 0.0,
        delay: float = 0,
        dropped: float = 0.0,
        bias: float = 0.0,
    ) -> None:
        self._agent, self._model, self._treatment = agent, model, treatment
        self._noise, self._delay, self._dropped, self._bias = noise, int(delay), dropped, bias
        self._motion = integrator_motion(model.dynamics)
        self.on_plan: Callable[[PlanEvent], None] | None = None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """See :class:`dfplan.evaluation.rollout.Agent`."""
        self._agent.on_plan = self.on_plan
        self._agent.reset(seeds=seeds, goals=goals)
        self._sensors = [_Sensor(np.random.default_rng([seed, 7]), motion=self._motion) for seed in seeds]

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`dfplan.evaluation.rollout.Agent`."""
        seen = np.stack(
            [
                sensor.sense(
                    row,
                    noise=self._noise,
                    delay=self._delay,
                    dropped=self._dropped,
                    bias=self._bias,
                    reckons=self._treatment == "reckoned",
                )
                for sensor, row in zip(self._sensors, observations, strict=True)
            ]
        )
        if self._treatment != "trusted":
            believed = np.mean([sensor.believed for sensor in self._sensors], axis=0)
            level = level_of_noise(believed, model=self._model)
            self._agent.planner.settings = replace(self._agent.planner.settings, stabilization_level=level)
        actions = self._agent.act(seen)
        for sensor, action in zip(self._sensors, actions, strict=True):
            sensor.note(action)
        return actions


class _Sensor:
    """What one robot sees, and how far that is believed."""

    _DRIFT = 0.02  # units by which a position ages a step: half the way at full speed

    def __init__(self, generator: np.random.Generator, *, motion: Any) -> None:
        self._generator, self._motion = generator, motion
        self._estimate = NoiseEstimate(motion, observation_dim=4)
        self._measured: list[np.ndarray] = []
        self._actions: list[np.ndarray] = []
        self._newest, self._age = np.zeros(4), 0
        self._sensor_noise = self.believed = np.zeros(4)

    def sense(
        self, truth: np.ndarray, *, noise: float, delay: int, dropped: float, bias: float, reckons: bool
    ) -> np.ndarray:
        """The observation of this step as it is passed on."""
        disturbed = truth + noise * self._generator.standard_normal(4) + np.array([bias, 0, 0, 0])
        self._measured.append(disturbed)
        self._age += 1
        self._arrived = self._generator.random() >= dropped or len(self._measured) == 1
        if self._arrived:
            self._newest = self._measured[max(0, len(self._measured) - 1 - delay)]
            self._age = min(delay, len(self._measured) - 1)
            self._sensor_noise = self._estimate.update(self._newest)
        drift = 0.0 if reckons else self._DRIFT * self._age
        self.believed = np.hypot(self._sensor_noise, [drift, drift, 0, 0])
        return self._reckoned() if reckons else self._newest

    def note(self, action: np.ndarray) -> None:
        """Remember what was done; the next observation is compared with this one if that is a step older."""
        self._actions.append(action)
        done_then = len(self._actions) - 1 - self._age
        known = self._arrived and done_then >= 0
        self._estimate.expect(self._newest if known else None, self._actions[max(0, done_then)])

    def _reckoned(self) -> np.ndarray:
        """The newest observation, carried forward to now by what was done since."""
        state = self._newest
        for action in self._actions[len(self._actions) - self._age :] if self._age else []:
            state = self._motion(state, action)
        return state


def measure(*, disturbance: str, treatment: str, controller: str, episodes: int, seed: int) -> dict[str, Any]:
    """Score of one combination."""
    model = load_forcing_model(WEIGHTS)
    is_shooting = controller == "shooting"
    agent = MPCAgent(
        Planner(model, settings=PlannerSettings(num_candidates=16 if is_shooting else 4)),
        controller=ShootingTracker(model.dynamics, goal_radius=model.goal_radius) if is_shooting else PlannedActions(),
        replan_every=32 if is_shooting else 8,
        horizon=STEPS,
    )
    disturbed = DisturbedAgent(agent, model=model, treatment=treatment, **DISTURBANCES[disturbance])
    protocol = MazeProtocol("maze2d-large-v1", goal="random")
    scores = protocol.scores(evaluate_agent(disturbed, protocol, num_episodes=episodes, num_envs=episodes, seed=seed))
    return {
        "disturbance": disturbance,
        "treatment": treatment,
        "controller": controller,
        "score": vars(mean_interval(scores.normalized_return)),
        "latched": float(scores.latched_normalized_return.mean()),
        "success": float(scores.success.mean()),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--controllers", nargs="+", choices=CONTROLLERS, default=CONTROLLERS)
    parser.add_argument("--disturbances", nargs="+", default=list(DISTURBANCES), choices=list(DISTURBANCES))
    parser.add_argument("--treatments", nargs="+", default=list(TREATMENTS), choices=TREATMENTS)


def results(arguments: argparse.Namespace) -> Named:
    """Every treatment of every disturbance."""
    found = []
    for controller in arguments.controllers:
        for disturbance in arguments.disturbances:
            for treatment in arguments.treatments:
                found.append(
                    measure(
                        disturbance=disturbance,
                        treatment=treatment,
                        controller=controller,
                        episodes=arguments.episodes,
                        seed=arguments.seed,
                    )
                )
                print(
                    f"{controller:8} {disturbance:17} {treatment:9} score {found[-1]['score']['mean']:6.1f}, latched "
                    f"{found[-1]['latched']:6.1f}, success {100 * found[-1]['success']:.0f} %",
                    flush=True,
                )
    yield (
        "",
        {
            "weights": describe_weights(WEIGHTS, load_bundle(WEIGHTS)[1]),
            "env": "maze2d-large-v1",
            "goal": "random",
            "episodes": arguments.episodes,
            "seed": arguments.seed,
            "results": found,
        },
    )


BENCHMARK = Benchmark(
    says=__doc__, folder=Path(__file__).parent, measure=results, options=options, episodes=100, seed=1000
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

"""TD3+BC, IQL and CQL by d3rlpy: trained in a given time of one processor, evaluated in the episodes of `dfplan eval`.

``offline_rl.py train algorithm=td3_bc env=Hopper-v5 data=FILE seed=0 cpu_minutes=4 output=FOLDER``, then
``offline_rl.py eval env=Hopper-v5 weights=FOLDER n_episodes=50 seed=1000 output=FOLDER``, in the environment of ``make
peers``. The data are of D4RL's layout. The numbers are d3rlpy's defaults and those of its reproductions of the papers.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import d3rlpy
import h5py
import numpy as np
import torch
from d3rlpy.dataset import TransitionMiniBatch
from d3rlpy.models import VectorEncoderFactory
from d3rlpy.optimizers import AdamFactory
from d3rlpy.optimizers.lr_schedulers import CosineAnnealingLRFactory
from d3rlpy.preprocessing import ReturnBasedRewardScaler, StandardObservationScaler
from safetensors.torch import load_file, save_file

from dfplan.domain import Spec
from dfplan.domains.find import find_domain
from dfplan.evaluation.report import build_record, find_commit, write_record
from dfplan.evaluation.rollout import evaluate_agent

WEIGHTS, DESCRIPTION = "policy.safetensors", "policy.json"
MEASURED_STEPS = 50  # by which it is told how many fit into the time
HAND = "AdroitHand"  # what ids begin with for which IQL's authors have other numbers

Config = Algorithm = Any  # of d3rlpy


@dataclass(frozen=True)
class Transitions:
    """Steps whose outcome is on record; where an episode was ended for good, it is zeros, as d3rlpy has it.

    Attributes:
        observations: ``(rows, observation_dim)`` float32.
        actions: ``(rows, action_dim)`` float32, between -1 and 1.
        rewards: ``(rows,)`` float32.
        terminals: ``(rows,)`` bool.
        steps: the rows that are steps.
        returns: ``(episodes,)`` what these earned, the last one, cut off, left out.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    steps: np.ndarray
    returns: np.ndarray

    @classmethod
    def read(cls, path: Path) -> "Transitions":
        """Those of an HDF5 file in D4RL's layout."""
        with h5py.File(path) as file:
            observations, actions, rewards = (
                np.asarray(file[name], np.float32) for name in ("observations", "actions", "rewards")
            )
            terminals, timeouts = (np.asarray(file[name], bool) for name in ("terminals", "timeouts"))
        ends = terminals | timeouts
        starts = np.concatenate([[0], np.flatnonzero(ends) + 1])
        ends[-1] = True
        whole = starts[starts < len(rewards)]
        returns = np.add.reduceat(rewards, whole, dtype=np.float64)[: max(len(starts) - 1, 1)]
        return cls(observations, actions, rewards, terminals, np.flatnonzero(terminals | ~ends), returns)

    def batch(self, rows: np.ndarray) -> TransitionMiniBatch:
        """The steps of some rows."""
        over = self.terminals[rows][:, None]
        after = np.minimum(rows + 1, len(self.rewards) - 1)
        return TransitionMiniBatch(
            observations=self.observations[rows],
            actions=self.actions[rows],
            rewards=self.rewards[rows][:, None],
            next_observations=np.where(over, np.float32(0), self.observations[after]),
            next_actions=np.where(over, np.float32(0), self.actions[after]),
            terminals=over.astype(np.float32),
            intervals=np.ones((len(rows), 1), np.float32),
            transitions=[],
        )


def td3_bc(data: Transitions, *, num_steps: int, is_hand: bool) -> Config:
    """Fujimoto and Gu 2021: alpha 2.5, observations in standard deviations."""
    moments = {"mean": data.observations.mean(axis=0), "std": data.observations.std(axis=0)}
    return d3rlpy.algos.TD3PlusBCConfig(alpha=2.5, observation_scaler=StandardObservationScaler(**moments))


def iql(data: Transitions, *, num_steps: int, is_hand: bool) -> Config:
    """Kostrikov et al. 2021: expectile 0.7; temperature 3 and scaled rewards for walkers, 0.5 and dropout for hands."""
    schedule = AdamFactory(lr_scheduler_factory=CosineAnnealingLRFactory(T_max=num_steps))
    if is_hand:
        own: dict[str, Any] = {"weight_temp": 0.5, "actor_encoder_factory": VectorEncoderFactory(dropout_rate=0.1)}
    else:
        span = {"return_max": float(data.returns.max()), "return_min": float(data.returns.min())}
        own = {"weight_temp": 3.0, "reward_scaler": ReturnBasedRewardScaler(**span, multiplier=1000.0)}
    return d3rlpy.algos.IQLConfig(expectile=0.7, actor_optim_factory=schedule, **own)


def cql(data: Transitions, *, num_steps: int, is_hand: bool) -> Config:
    """Kumar et al. 2020: conservative weight 5, three hidden layers."""
    layers = VectorEncoderFactory([256, 256, 256])
    return d3rlpy.algos.CQLConfig(
        actor_encoder_factory=layers, critic_encoder_factory=layers, alpha_learning_rate=0.0, conservative_weight=5.0
    )


ALGORITHMS: Mapping[str, tuple[type[Config], Callable[..., Config]]] = {
    "td3_bc": (d3rlpy.algos.TD3PlusBCConfig, td3_bc),
    "iql": (d3rlpy.algos.IQLConfig, iql),
    "cql": (d3rlpy.algos.CQLConfig, cql),
}


def train(*, algorithm: str, env: str, data: str, output: str, seed: str, cpu_minutes: str, steps: str = "") -> None:
    """Train as many gradient steps as fit into the time, or as many as are asked for, and keep the policy."""
    transitions = Transitions.read(Path(data))
    check_actions(find_domain(env).spec, data=transitions)
    config_of = partial(ALGORITHMS[algorithm][1], transitions, is_hand=env.startswith(HAND))
    sizes = {"observation_dim": transitions.observations.shape[1], "action_dim": transitions.actions.shape[1]}

    def trained(num_steps: int) -> tuple[Algorithm, float]:
        made = create(config_of(num_steps=num_steps), seed=int(seed), **sizes)
        return made, fit(made, transitions, num_steps=num_steps, seed=int(seed))

    num_steps = int(steps or 60 * float(cpu_minutes) / trained(MEASURED_STEPS)[1] * MEASURED_STEPS)
    found, spent = trained(num_steps)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(found.impl.policy.state_dict(), folder / WEIGHTS)
    described = {
        "algorithm": algorithm,
        "training_seed": int(seed),
        "steps": num_steps,
        "cpu_seconds": round(spent, 1),
        "training_commit": find_commit(),
        "d3rlpy": d3rlpy.__version__,
        **sizes,
        "config": json.loads(found.config.serialize()),
    }
    (folder / DESCRIPTION).write_text(json.dumps(described))
    print(f"{algorithm}: {num_steps} steps in {spent:.0f} CPU seconds")


def check_actions(spec: Spec, *, data: Transitions) -> None:
    """Refuse what d3rlpy's policies, whose actions lie between -1 and 1, cannot do."""
    bounds = spec.action_bounds
    if (bounds.low != -1).any() or (bounds.high != 1).any() or np.abs(data.actions).max() > 1:
        raise SystemExit(
            f"d3rlpy's policies act between -1 and 1; actions lie in {bounds}, recorded ones up to "
            f"{np.abs(data.actions).max():g}"
        )


def create(config: Config, *, seed: int, observation_dim: int, action_dim: int) -> Algorithm:
    """An algorithm with networks as they begin."""
    d3rlpy.seed(seed)
    algorithm = config.create()
    algorithm.create_impl((observation_dim,), action_dim)
    return algorithm


def fit(algorithm: Algorithm, data: Transitions, *, num_steps: int, seed: int) -> float:
    """Train, and tell how many seconds of the processor it took."""
    generator, began = np.random.default_rng(seed), time.process_time()
    for _ in range(num_steps):
        algorithm.update(data.batch(generator.choice(data.steps, algorithm.batch_size)))
    return time.process_time() - began


def load(folder: Path) -> tuple[Algorithm, dict[str, Any]]:
    """A trained policy, and what is to be said of it."""
    described = json.loads((folder / DESCRIPTION).read_text())
    described["sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    config = ALGORITHMS[described["algorithm"]][0].deserialize(json.dumps(described["config"]))
    sizes = {name: described[name] for name in ("observation_dim", "action_dim")}
    algorithm = create(config, seed=described["training_seed"], **sizes)
    algorithm.impl.policy.load_state_dict(load_file(folder / WEIGHTS))
    return algorithm, described


class MeanActions:
    """Acts as a trained policy does in the mean; see :class:`dfplan.evaluation.rollout.Agent`."""

    on_plan = None

    def __init__(self, algorithm: Algorithm) -> None:
        self.algorithm = algorithm

    def reset(self, *, seeds: Sequence[int], goals: Any) -> None:
        """Nothing is remembered."""

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, action_dim)`` of observations ``(batch, observation_dim)``."""
        return self.algorithm.predict(observations)


def evaluate(*, env: str, weights: str, output: str, n_episodes: str, seed: str) -> None:
    """Roll a policy out in the episodes that `dfplan eval` of the same numbers has, and write the same record."""
    algorithm, described = load(Path(weights))
    protocol = find_domain(env).protocol()
    numbers = {"num_episodes": int(n_episodes), "num_envs": int(n_episodes), "seed": int(seed)}
    rollouts = evaluate_agent(MeanActions(algorithm), protocol, **numbers)
    record = build_record(
        rollouts,
        protocol.measure(rollouts),
        env=env,
        planner=described["algorithm"],
        controller="none",
        device="cpu",
        config={"weights": weights, "n_episodes": int(n_episodes), "seed": int(seed)},
        weights=described,
    )
    Path(output).mkdir(parents=True, exist_ok=True)
    write_record(record, path=Path(output) / "results.json")


def main(words: Sequence[str]) -> None:
    """One command, its options as those of dfplan."""
    options = dict(word.split("=", 1) for word in words[1:])
    torch.set_num_threads(int(options.pop("threads", 1)))
    {"train": train, "eval": evaluate}[words[0]](**options)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Data of a pendulum that is swung up by hand, as a newcomer may have them: a file in D4RL's layout."""

from pathlib import Path

import gymnasium
import h5py
import numpy as np

SCALES = (0.3, 0.6, 1.0)  # of what the hand does: not all of it is good


def swing_up(observation: np.ndarray, *, scale: float) -> np.ndarray:
    """The hand: pumps energy, and near the top holds the pendulum up."""
    cosine, sine, speed = observation
    angle = np.arctan2(sine, cosine)
    if cosine > 0.8:
        torque = -scale * (12 * angle + 3 * speed)
    else:
        energy = speed**2 / 6 + 5 * cosine - 5
        torque = -scale * 2 * np.sign(speed * energy)
    return np.clip([torque], -2, 2).astype(np.float32)


def write_pendulum(path: Path, *, num_episodes: int, seed: int = 0) -> Path:
    """Record episodes of 200 steps, the hand being good or not so good, and its torque disturbed."""
    env, generator = gymnasium.make("Pendulum-v1"), np.random.default_rng(seed)
    rows: dict[str, list] = {name: [] for name in ("observations", "actions", "rewards", "terminals", "timeouts")}
    for episode in range(num_episodes):
        observation, _ = env.reset(seed=int(generator.integers(2**31)))
        over = False
        while not over:
            action = swing_up(observation, scale=SCALES[episode % len(SCALES)])
            action = np.clip(action + generator.normal(0, 0.3, 1), -2, 2).astype(np.float32)
            after, reward, terminated, truncated, _ = env.step(action)
            for name, value in zip(rows, (observation, action, reward, terminated, truncated), strict=True):
                rows[name].append(value)
            observation, over = after, terminated or truncated
    with h5py.File(path, "w") as file:
        for name, values in rows.items():
            file[name] = np.array(values)
    return path

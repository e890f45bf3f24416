"""Environments side by side: in one batch, or as Gymnasium's vector environments run any others."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

VECTORIZATIONS = ("batched", "sync", "async")


class _Begun(gymnasium.Wrapper):
    """An environment whose episodes begin as was wished when it was made; a vector environment has one wish for all."""

    def __init__(self, env: gymnasium.Env, *, wishes: dict[str, np.ndarray]) -> None:
        super().__init__(env)
        self._wishes = wishes

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return self.env.reset(seed=seed, options=self._wishes)


def begin_batch(
    env_id: str,
    *,
    vectorization: str,
    options: Mapping[str, Any],
    seeds: Sequence[int],
    wishes: Mapping[str, np.ndarray],
) -> tuple[VectorEnv, np.ndarray, dict[str, Any]]:
    """Make environments side by side and begin an episode in each; whichever way, the episodes are the same.

    Args:
        env_id: as :func:`gymnasium.make` takes it.
        vectorization: "batched" (the environment's own batch in one process), "sync" (one environment after the other)
            or "async" (a process for each).
        options: what the environments are made with, such as ``goal``.
        seeds: one for each environment.
        wishes: reset options, each with one row for each environment.

    Returns:
        The vector environment, to be closed by the caller, the first observations ``(batch, …)`` and infos.
    """
    if vectorization == "batched":
        batch: Any = gymnasium.make_vec(env_id, num_envs=len(seeds), vectorization_mode="vector_entry_point", **options)
        reset_options: dict[str, Any] | None = dict(wishes)
    else:
        makers = [
            partial(_make_begun, env_id, options=options, wishes={name: rows[row] for name, rows in wishes.items()})
            for row in range(len(seeds))
        ]
        batch, reset_options = (SyncVectorEnv if vectorization == "sync" else AsyncVectorEnv)(makers), None
    try:
        observations, info = batch.reset(seed=list(seeds), options=reset_options)
    except Exception:
        batch.close()
        raise
    return batch, observations, info


def _make_begun(env_id: str, *, options: Mapping[str, Any], wishes: dict[str, np.ndarray]) -> gymnasium.Env:
    return _Begun(gymnasium.make(env_id, **options, disable_env_checker=True), wishes=wishes)

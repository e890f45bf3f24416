"""A planner that needs NumPy and ONNX Runtime, not torch: the same plans from the same noise."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.arrays import checked_plan, checked_rows
from dfplan.domain import Proposals
from dfplan.errors import UserError
from dfplan.export.manifest import ONNX_FILE, Manifest, check_file, read_manifest
from dfplan.planner.halving import Halving
from dfplan.types import MARGIN, Plan

PREFIX_TOKENS = 2  # goal, context


class OnnxPlanner:
    """Plans like :class:`dfplan.planner.Planner` with the settings it was exported with.

    Args:
        folder: what ``dfplan export`` wrote; every file is checked against the manifest before it is used.
        num_threads: of ONNX Runtime.

    Raises:
        UserError: the export is damaged or onnxruntime is not installed.
    """

    def __init__(self, folder: Path, *, num_threads: int = 1) -> None:
        self.manifest: Manifest = read_manifest(folder)
        layout = self.manifest.layout
        self.num_action_slots = layout["steps_per_token"] * layout["action_dim"]
        self.token_dim = self.num_action_slots + 1 + layout["points_per_token"] * layout["observation_dim"]
        self.steps_per_point = layout["steps_per_token"] // layout["points_per_token"]
        self.settings = self.manifest.planner
        normal, dim = self.manifest.normalization, layout["goal_dim"]
        self.reach = self.manifest.scorer.reach(
            normal.observation_mean, normal.observation_std, goal_dim=dim, margin=MARGIN
        )
        penalties = {name: getattr(self.settings, name) for name in ("consistency_penalty", "ood_penalty")}
        self.scorer = self.manifest.scorer.with_penalties(penalties)
        self.window_tokens = self.settings.window_tokens or self.manifest.num_tokens
        self._session = _session(check_file(folder, ONNX_FILE), folder / ONNX_FILE, num_threads=num_threads)

    def noise_shape(self, horizon: int) -> tuple[int, int, int]:
        """Shape of one environment's noise: candidates, tokens, numbers in a token."""
        tokens = math.ceil(horizon / self.manifest.layout["steps_per_token"])
        return self.settings.num_candidates, tokens, self.token_dim

    def draw_noise(self, generators: Sequence[np.random.Generator], *, horizon: int) -> np.ndarray:
        """Standard Gaussian noise for :meth:`plan`, each environment's from its own generator."""
        shape = self.noise_shape(horizon)
        return np.stack([generator.standard_normal(shape, dtype=np.float32) for generator in generators])

    def plan(self, observations: np.ndarray, goals: np.ndarray, *, horizon: int, noise: np.ndarray) -> Plan:
        """Plan for a batch of environments; see :meth:`dfplan.planner.Planner.plan`.

        Args:
            observations: ``(batch, observation_dim)``.
            goals: ``(batch, goal_dim)``.
            horizon: steps to look ahead; rounded up to whole tokens.
            noise: ``(batch, *noise_shape(horizon))`` float32, standard Gaussian.

        Raises:
            UserError: shapes that do not fit, or values that are not finite or far from the data.
        """
        count, layout = self.settings.num_candidates, self.manifest.layout
        rows, width = len(observations), layout["observation_dim"]
        bounds = self.reach.observations, self.reach.goals
        context = checked_rows("observations", observations, num_rows=rows, width=width, bounds=bounds[0])
        goal = checked_rows("goals", goals, num_rows=rows, width=layout["goal_dim"], bounds=bounds[1])
        context, goal = context.astype(np.float32), goal.astype(np.float32)
        noise = self._checked_noise(noise, (rows, *self.noise_shape(horizon)))
        noise = noise.reshape(-1, *noise.shape[2:])
        context, goal = context.repeat(count, axis=0), goal.repeat(count, axis=0)
        start, tokens = context.copy(), np.zeros_like(noise)
        lengths, arrived = np.zeros(len(goal), dtype=np.int64), np.zeros(len(goal), dtype=bool)
        rows = np.arange(len(goal))
        for first in range(0, noise.shape[1], self.window_tokens):
            part = slice(first, min(first + self.window_tokens, noise.shape[1]))
            denoised, finished = self._denoise(noise[rows, part], context[rows], goal[rows], arrived=arrived[rows])
            tokens[rows, part], states = denoised, self._states(denoised)
            lengths[rows] += finished
            arrived[rows] |= self._reaches(states, goal[rows], lengths=finished)
            context[rows] = states[:, -1]
            rows = rows[~self._enough(arrived[rows], count)]
            if not len(rows):
                break
        return checked_plan(self._choose(tokens, lengths, start, goal))

    def _checked_noise(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        values = np.asarray(values, dtype=np.float32)
        if values.shape != shape:
            raise UserError(f"noise must have shape {shape}; got {values.shape}")
        if not np.isfinite(values).all():
            raise UserError("noise must be finite")
        return values

    def _denoise(
        self, noise: np.ndarray, context: np.ndarray, goal: np.ndarray, *, arrived: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Denoise one window: tokens, and how many leading ones of each sequence are finished."""
        num_levels, num_tokens = self.settings.num_levels, noise.shape[1]
        matrix = pyramid_levels(num_tokens, num_levels=num_levels, offset=self.settings.pyramid_offset)
        tokens, result = noise.copy(), noise.copy()
        lengths, rows, finished = np.full(len(noise), num_tokens), np.arange(len(noise)), 0
        cache = self._prefix_cache(context, goal)
        how = {"num_candidates": self.settings.num_candidates, "num_tokens": num_tokens}
        halving = Halving(self.settings.halve_after, **how)
        for now, after in itertools.pairwise(matrix):
            moving = np.flatnonzero(now != after)
            if not len(moving):
                continue
            window, clean_before = slice(finished, moving[-1] + 1), _num_leading_clean(now)
            share = np.stack([now, after])[:, window, None] / np.float32(num_levels)
            levels = share ** np.float32(self.settings.rho)
            tokens[:, window], grown = self._step(tokens[:, window], *levels, cache)
            cache, finished = grown[:, :, : PREFIX_TOKENS + clean_before], clean_before
            num_clean = _num_leading_clean(after)
            if num_clean == clean_before:
                continue
            states = self._states(tokens[:, :num_clean])
            done = self._enough(arrived[rows] | self._reaches(states, goal[rows]), halving.num_left)
            if halving.is_due(num_clean):
                begun = self._proposals(tokens[:, :num_clean], np.full(len(rows), num_clean), context[rows], goal[rows])
                done |= halving.let_go(self.scorer.score(begun).value, rows)
            result[rows[done]], lengths[rows[done]] = tokens[done], num_clean
            rows, tokens, cache = rows[~done], tokens[~done], cache[:, ~done]
            if not len(rows):
                break
        result[rows] = tokens
        result[halving.gone], lengths[halving.gone] = result[halving.stand_ins], lengths[halving.stand_ins]
        return result, lengths

    def _prefix_cache(self, context: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """The cache after the goal and context tokens, both in the slots of a token's last observation."""
        layout, normal = self.manifest.layout, self.manifest.normalization
        last, dim = self.token_dim - layout["observation_dim"], layout["goal_dim"]
        prefix = np.zeros((len(goal), PREFIX_TOKENS, self.token_dim), np.float32)
        prefix[:, 0, last : last + dim] = (goal - normal.observation_mean[:dim]) / normal.observation_std[:dim]
        prefix[:, 1, last:] = (context - normal.observation_mean) / normal.observation_std
        prefix[:, 1] *= np.float32(self.manifest.context_scale)
        levels = np.array([[0 if dim else 1], [self.settings.stabilization_level]], np.float32)  # no goal is pure noise
        empty = np.zeros((self.manifest.cache_layers, len(goal), 0, self.manifest.cache_width), np.float32)
        return self._step(prefix, levels, levels, empty)[1]

    def _step(
        self, noisy: np.ndarray, level: np.ndarray, next_level: np.ndarray, cache: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run the graph; levels are ``(tokens, 1)``, the same for the whole batch and for all slots."""
        shape = (*noisy.shape[:2], 2)
        feeds = {
            "noisy": np.ascontiguousarray(noisy),
            "level": np.broadcast_to(level, shape).astype(np.float32),
            "next_level": np.broadcast_to(next_level, shape).astype(np.float32),
            "cache": np.ascontiguousarray(cache),
        }
        moved, grown = self._session.run(["moved", "grown"], feeds)
        return moved, grown

    def _states(self, tokens: np.ndarray) -> np.ndarray:
        """Planned observations ``(batch, points, observation_dim)`` in environment units."""
        normal = self.manifest.normalization
        states = tokens[..., self.num_action_slots + 1 :].reshape(len(tokens), -1, len(normal.observation_mean))
        return states * normal.observation_std + normal.observation_mean

    def _reaches(self, states: np.ndarray, goal: np.ndarray, *, lengths: np.ndarray | None = None) -> np.ndarray:
        """Which sequences have a planned point at the goal within their first ``lengths`` tokens."""
        there: np.ndarray = self.scorer.finished(states, goal)
        if lengths is not None:
            there = there & (np.arange(there.shape[1]) < self.manifest.layout["points_per_token"] * lengths[:, None])
        return np.asarray(there.any(axis=1))

    def _enough(self, arrived: np.ndarray, count: int) -> np.ndarray:
        """Which sequences belong to an environment, of ``count`` each, with a quorum of arrived candidates."""
        share = arrived.reshape(-1, count).mean(axis=1, dtype=np.float32)
        return (share >= max(self.settings.early_stop_fraction, 1 / count)).repeat(count)

    def _proposals(self, tokens: np.ndarray, lengths: np.ndarray, start: np.ndarray, goal: np.ndarray) -> Proposals:
        normal, steps_per_token = self.manifest.normalization, self.manifest.layout["steps_per_token"]
        rewards = tokens[..., self.num_action_slots] * np.float32(normal.reward_std) + np.float32(normal.reward_mean)
        return Proposals(
            starts=start,
            states=self._states(tokens),
            rewards=rewards,
            goals=goal,
            num_steps=lengths * steps_per_token,
            steps_per_point=self.steps_per_point,
            steps_per_token=steps_per_token,
        )

    def _choose(self, tokens: np.ndarray, lengths: np.ndarray, start: np.ndarray, goal: np.ndarray) -> Plan:
        layout, normal, count = self.manifest.layout, self.manifest.normalization, self.settings.num_candidates
        proposals = self._proposals(tokens, lengths, start, goal)
        states, rewards, num_steps = proposals.states, proposals.rewards, proposals.num_steps
        score = self.scorer.score(proposals)
        arrival, value = score.arrival, score.value
        bounds = self.manifest.action_bounds
        best = value.reshape(-1, count).argmax(axis=1) + count * np.arange(len(value) // count)
        longest = int(num_steps[best].max())
        shape = (len(best), tokens.shape[1] * layout["steps_per_token"], layout["action_dim"])
        actions = tokens[best, :, : self.num_action_slots].reshape(shape)
        return Plan(
            observations=states[best, : longest // self.steps_per_point],
            actions=np.clip(actions[:, :longest] * normal.action_std + normal.action_mean, bounds.low, bounds.high),
            rewards=rewards[best, : longest // layout["steps_per_token"]],
            arrival=arrival[best],
            num_steps=num_steps[best],
            value=value[best],
            steps_per_point=self.steps_per_point,
        )


def pyramid_levels(num_tokens: int, *, num_levels: int, offset: float) -> np.ndarray:
    """The scheduling matrix of :func:`dfplan.diffusion.pyramid_matrix` as an array."""
    offsets = np.floor(offset * np.arange(num_tokens)).astype(np.int64)
    rows = np.arange(num_levels + offsets[-1] + 1)
    return (num_levels + offsets - rows[:, None]).clip(0, num_levels)


def _num_leading_clean(row: np.ndarray) -> int:
    noisy = np.flatnonzero(row)
    return int(noisy[0]) if len(noisy) else len(row)


def _session(content: bytes, path: Path, *, num_threads: int) -> Any:
    """Load a graph whose bytes have been checked."""
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports] - an optional extra
    except ImportError as error:
        raise UserError("an exported planner needs onnxruntime: pip install 'dfplan[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = num_threads, 1, 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base class
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: ONNX Runtime cannot load it ({reason}); export it again") from error

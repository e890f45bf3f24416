"""Futures of a series that nobody acts on: what was seen is a clean prefix, what comes is denoised behind it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import check_whole, numbers_of
from dfplan.errors import UserError, check_kind
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.belief import Belief
from dfplan.planner.believer import check_generators
from dfplan.planner.planner import Planner
from dfplan.planner.settings import PlannerSettings

ROWS_AT_ONCE = 2048  # more of them leave the cache of a processor, and take longer each
# All tokens of a future together, from noise to clean in a few dozen calls, with fresh noise on the way.
SETTINGS = PlannerSettings(num_candidates=1, history=None, matrix="full-sequence", num_levels=20, eta=1.0)


class Forecaster:
    """Draws futures from a model of observations alone (Diffusion Forcing, arXiv 2407.01392, section 4.4).

    Args:
        model: trained by ``task=forecast``; its description says whether it has learned the values of the series or
            their changes from row to row.
        settings: how futures are denoised; ``history`` is None.

    Raises:
        UserError: a model that acts, or one that is not causal.
    """

    def __init__(self, model: ForcingModel, *, settings: PlannerSettings = SETTINGS) -> None:
        check_kind(ForcingModel, such_as="a planner of dfplan.load", model=model)
        if model.layout.action_dim:
            raise UserError(
                f"these weights plan {model.layout.action_dim} actions; futures that nobody acts on are forecast by "
                "weights of `dfplan train env=none`"
            )
        self.planner = Planner(model, settings=settings)
        self.learned_changes = bool(model.metadata.get("changes"))

    @property
    def least_history(self) -> int:
        """Rows that have to be known before anything can be forecast."""
        return 1 + self.learned_changes

    @property
    def most_history(self) -> int:
        """Last rows of a history that are of use: those that half of a training window holds."""
        return self.least_history + self.planner.window_tokens // 2 * self.planner.steps_per_token

    def forecast(self, history: np.ndarray, num_steps: int, *, generators: Sequence[torch.Generator]) -> np.ndarray:
        """Futures that continue histories, one for each of the ``generators``.

        As much of a history is used as leaves half of a training window for the future. A future longer than what is
        left of a window is made piece by piece, each behind what the pieces before it end in.

        Args:
            history: ``(batch, rows, dim)``, the last rows before the future.
            num_steps: rows to forecast.
            generators: CPU generators, whose number is a multiple of ``batch``: as many futures of each history,
                those of the first history first.

        Returns:
            ``(batch, futures, num_steps, dim)`` float64.

        Raises:
            UserError: shapes that do not fit, too short a history, or values that are far from the data.
        """
        check_generators(generators)
        check_whole(1, num_steps=num_steps)
        history = np.asarray(numbers_of("history", history), np.float64)
        count = len(generators) // max(len(history), 1) if history.ndim == 3 else 0
        if not count or count * len(history) != len(generators):
            raise UserError(
                f"history must be (batch, rows, dim) with as many generators a row of the batch; got "
                f"{list(history.shape)} and {len(generators)} generators"
            )
        if history.shape[1] < self.least_history:
            raise UserError(f"a forecast needs {self.least_history} rows of history; got {history.shape[1]}")
        seen = np.diff(history, axis=1) if self.learned_changes else history
        seen = np.repeat(seen, count, axis=0)
        parts = [slice(first, first + ROWS_AT_ONCE) for first in range(0, len(seen), ROWS_AT_ONCE)]
        futures = np.concatenate([self._continue(seen[part], num_steps, generators[part]) for part in parts])
        if self.learned_changes:
            futures = np.repeat(history[:, -1:], count, axis=0) + np.cumsum(futures, axis=1)
        return futures.reshape(len(history), count, num_steps, -1)

    def _continue(self, seen: np.ndarray, num_steps: int, generators: Sequence[torch.Generator]) -> np.ndarray:
        """What follows rows ``(batch, rows, dim)`` as they were learned, ``(batch, num_steps, dim)``."""
        planner, made = self.planner, []
        steps, window = planner.steps_per_token, planner.window_tokens
        missing = -(-num_steps // steps)
        while missing:
            belief = self._belief(seen, tokens=min((seen.shape[1] - 1) // steps, window // 2))
            piece = planner.sample(belief, num_tokens=min(missing, window - belief.num_tokens), generators=generators)
            made.append(self._rows(piece.tokens))
            seen = np.concatenate([seen, made[-1]], axis=1)
            missing -= piece.tokens.shape[1]
        return np.concatenate(made, axis=1)[:, :num_steps]

    def _belief(self, seen: np.ndarray, *, tokens: int) -> Belief:
        """What is known after the last ``tokens`` of what was ``seen``, and the row before them."""
        steps, stride = self.planner.steps_per_token, self.planner.steps_per_point
        rows = seen[:, -1 - tokens * steps :]
        belief = self.planner.believe(rows[:, 0])
        for first in range(1, rows.shape[1], steps):
            points = rows[:, first : first + steps][:, stride - 1 :: stride]
            belief = self.planner.update(belief, actions=np.zeros((len(rows), steps, 0)), observations=points)
        return belief

    def _rows(self, tokens: Tensor) -> np.ndarray:
        """The rows ``(batch, steps, dim)`` of tokens ``[batch, tokens, token_dim]``."""
        model = self.planner.model
        return model.normalizer.observations_back(model.layout.unpack(tokens)[2]).double().numpy()


def representatives(futures: np.ndarray, count: int, *, rounds: int = 10) -> np.ndarray:
    """Few futures that stand for many: centres of k-means (Lloyd 1982), begun at the first of them.

    They are no sample: rare futures are among them more often than they come. As sets of guesses have it that are
    judged by the best (the test-time trick of Y-net, arXiv 2012.01526, section 3.4, of whole futures).

    Args:
        futures: ``(batch, many, steps, dim)``.
        count: of centres, at most ``many``.
        rounds: of assigning futures to centres, and moving these.

    Returns:
        ``(batch, count, steps, dim)``.
    """
    points = futures.reshape(*futures.shape[:2], -1)
    centres = points[:, :count]
    for _ in range(rounds):
        apart = np.square(points[:, :, None] - centres[:, None]).sum(axis=-1)
        nearest = (apart.argmin(axis=-1)[..., None] == np.arange(count)).astype(points.dtype)
        sizes = nearest.sum(axis=1)[..., None]
        centres = np.where(sizes > 0, np.einsum("bmc,bmd->bcd", nearest, points) / np.maximum(sizes, 1), centres)
    return centres.reshape(len(futures), count, *futures.shape[2:])

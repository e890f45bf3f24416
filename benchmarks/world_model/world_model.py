"""Frames in, actions given, frames out: the weights of a planner that sees as a model of what it will see."""

from collections.abc import Sequence

import numpy as np
import torch

from dfplan.domains.maze.state_estimator import StateEstimator
from dfplan.errors import UserError
from dfplan.models.sight import LatentSight
from dfplan.planner import Planner


class WorldModel:
    """Predicts the frames that actions lead to, as far as there are actions.

    Actions are tokens' slots at level 0, observations are denoised from pure noise, and the goal is hidden. Beyond one
    training window, windows are chained; the last observation of one enters the next at the planner's
    ``stabilization_level``, so that small errors are taken for noise and not for truth (Diffusion Forcing, arXiv
    2407.01392, section 3.3).

    Args:
        planner: of the model; its settings say how to denoise.
        sight: what the model was trained to see with.
    """

    def __init__(self, planner: Planner, *, sight: LatentSight | StateEstimator) -> None:
        self.planner = planner
        self.sight = sight

    def roll_out(
        self, history: np.ndarray, actions: np.ndarray, *, generators: Sequence[torch.Generator]
    ) -> np.ndarray:
        """Observations that given actions lead to; nothing that happens meanwhile is looked at.

        Args:
            history: the last frames before the first action, oldest first:
                ``(frames, batch, height, width, channels)`` uint8.
            actions: ``(batch, steps, action_dim)``, a whole number of tokens.
            generators: one CPU generator per row of the batch.

        Returns:
            ``(batch, points, observation_dim)``, one every ``steps_per_point`` steps; :meth:`draw` shows them.

        Raises:
            UserError: shapes that do not fit.
        """
        if history.ndim != 5 or history.shape[1] != len(actions):
            raise UserError(
                f"history must be (frames, {len(actions)}, height, width, channels), one column a row of actions; "
                f"got {list(history.shape)}"
            )
        seen = np.stack([self.sight.places(frames) for frames in history])
        return self.planner.predict(self.sight.observations(seen), actions, generators=generators)

    def draw(self, observations: np.ndarray) -> np.ndarray:
        """Frames ``(…, height, width, channels)`` uint8 of predicted observations ``(…, observation_dim)``."""
        places = observations[..., : self.sight.place_dim].reshape(-1, self.sight.place_dim)
        frames = self.sight.frames(places)
        return frames.reshape(*observations.shape[:-1], *frames.shape[1:])

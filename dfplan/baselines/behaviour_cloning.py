"""Behaviour cloning, the rival of planning: a multilayer perceptron that does what the data did where it is."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.arrays import checked_rows
from dfplan.data.windows import WindowBatch
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, read_metadata, save_bundle
from dfplan.models.description import action_bounds
from dfplan.models.forcing_model import SENSELESS, load_weights
from dfplan.tokens import Normalizer
from dfplan.training.batch import beside
from dfplan.training.regression import RegressionTask
from dfplan.types import PlanEvent

NAME = "behaviour-cloning"  # what a bundle calls its model
MOST = {"observation_dim": 10_000, "action_dim": 10_000, "goal_dim": 10_000, "width": 10_000, "num_layers": 100}
VALIDATION_ROWS = 8192


class BehaviourCloning(nn.Module):
    """An action for an observation and a goal, all of them normalised.

    Args:
        observation_dim: numbers in an observation.
        action_dim: numbers in an action.
        goal_dim: numbers in a goal; 0 where there are none.
        width: units of a hidden layer.
        num_layers: hidden layers.
    """

    def __init__(self, *, observation_dim: int, action_dim: int, goal_dim: int, width: int, num_layers: int) -> None:
        super().__init__()
        sizes = [observation_dim + goal_dim] + [width] * num_layers
        hidden = [each for pair in pairwise(sizes) for each in (nn.Linear(*pair), nn.ReLU())]
        self.network = nn.Sequential(*hidden, nn.Linear(width, action_dim))
        self.normalizer = Normalizer.blank(action_dim=action_dim, observation_dim=observation_dim)
        self.goal_dim = goal_dim

    def forward(self, observations: Tensor, goals: Tensor) -> Tensor:
        """Normalised actions ``(batch, action_dim)`` for observations and goals in the units of the environment."""
        shown = [self.normalizer.observations(observations), self.normalizer.observations(goals)]
        return self.network(torch.cat(shown, dim=1))

    @torch.no_grad()
    def actions(self, observations: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Actions ``(batch, action_dim)`` in the units of the environment, of float arrays."""
        device = self.normalizer.action_mean.device
        given = (torch.as_tensor(each, dtype=torch.float32, device=device) for each in (observations, goals))
        return self.normalizer.actions_back(self(*given)).cpu().numpy()


class BehaviourCloningTask(RegressionTask[WindowBatch]):
    """Mean squared error of the normalised action.

    Args:
        cloning: the network, with the normaliser of the data.
        beside: writes into the folder of a bundle what belongs to it besides, such as a tokenizer.
        options: of :class:`~dfplan.training.regression.NetworkTask`.
    """

    def __init__(
        self, cloning: BehaviourCloning, *, beside: Callable[[Path], None] | None = None, **options: Any
    ) -> None:
        super().__init__({"cloning": cloning}, **options)
        self.cloning, self.beside = cloning, beside

    def error(self, batch: WindowBatch) -> Tensor:
        """See :class:`~dfplan.training.regression.RegressionTask`."""
        context, goal, actions = (torch.as_tensor(each) for each in (batch.context, batch.goal, batch.actions[:, 0]))
        return (self.cloning(context, goal) - self.cloning.normalizer.actions(actions)).square()

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """The same error on held-out episodes, about 1 for whoever knows nothing but the mean action."""
        batch = beside(self.cloning, self.held_out.sample(VALIDATION_ROWS, np.random.default_rng(seed)))
        return {"loss": float(self.error(batch).mean())}

    def export(self, folder: Path) -> None:
        """Write the bundle that :func:`load_behaviour_cloning` reads."""
        if self.beside is not None:
            self.beside(folder)
        save_bundle(folder, self.cloning.state_dict(), self.metadata)


class BehaviourCloningAgent:
    """Acts by the network alone, without a plan.

    Args:
        cloning: trained.
        metadata: the description of its bundle.
    """

    def __init__(self, cloning: BehaviourCloning, metadata: Mapping[str, Any]) -> None:
        self.cloning, self.metadata = cloning, metadata
        self.sizes = tuple(metadata[name] for name in ("observation_dim", "action_dim", "goal_dim"))
        self.bounds = action_bounds(metadata, action_dim=metadata["action_dim"])
        self.on_plan: Callable[[PlanEvent], None] | None = None
        self._goals = np.zeros((0, 0))

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None = None) -> None:
        """Begin new episodes; see :class:`~dfplan.evaluation.rollout.Agent`."""
        goals = np.zeros((len(seeds), 0)) if goals is None else goals
        self._goals = checked_rows("goals", goals, num_rows=len(seeds), width=self.sizes[2])

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, action_dim)``, within their bounds, for observations ``(batch, observation_dim)``."""
        rows = checked_rows("observations", observations, num_rows=len(self._goals), width=self.sizes[0])
        return np.clip(self.cloning.actions(rows, self._goals), self.bounds.low, self.bounds.high)


def is_behaviour_cloning(folder: Path) -> bool:
    """Whether the bundle in ``folder`` says that it is of behaviour cloning.

    Raises:
        UserError: there is no whole bundle.
    """
    model = read_metadata(folder).get("model")
    return isinstance(model, Mapping) and model.get("name") == NAME


def load_behaviour_cloning(folder: Path) -> BehaviourCloningAgent:
    """Rebuild what :meth:`BehaviourCloningTask.export` wrote.

    Raises:
        UserError: the bundle is missing or damaged, or is of something else.
    """
    tensors, metadata = load_bundle(folder, check=partial(_check_claims, folder=folder))
    cloning = BehaviourCloning(**_sizes(metadata))
    load_weights(cloning, tensors, prefix="", folder=folder)
    return BehaviourCloningAgent(cloning.eval().requires_grad_(False), metadata)


def _sizes(metadata: Mapping[str, Any]) -> dict[str, int]:
    named = {**metadata, **metadata["model"]}
    return {name: named[name] for name in MOST}


def _check_claims(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any], *, folder: Path) -> None:
    """Refuse a description that is not of exactly these tensors, before they take any memory."""
    try:
        for name, value in _sizes(metadata).items():
            least = 0 if name == "goal_dim" else 1
            if type(value) is not int or not least <= value <= MOST[name]:
                raise ValueError(f"{name} must be a whole number from {least} to {MOST[name]}; got {value!r:.40}")
        action_bounds(metadata, action_dim=metadata["action_dim"])
        with torch.device("meta"):  # shapes alone
            cloning = BehaviourCloning(**_sizes(metadata))
        expected = {name: tuple(each.shape) for name, each in cloning.state_dict().items()}
        if dict(shapes) != expected:
            wrong = sorted(name for name in shapes.keys() | expected if shapes.get(name) != expected.get(name))
            raise ValueError(f"{len(wrong)} tensors are not those of the network it names, the first is {wrong[0]}")
    except SENSELESS as error:
        raise UserError(
            f"{folder} does not describe behaviour cloning ({error}); train some with `dfplan train task={NAME}`"
        ) from error

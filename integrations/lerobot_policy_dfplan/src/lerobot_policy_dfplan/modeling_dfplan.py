"""The policy: dfplan's receding-horizon agent behind LeRobot's ``select_action`` and ``predict_action_chunk``."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.policies import PreTrainedPolicy
from lerobot.utils.constants import OBS_ENV_STATE, OBS_STATE
from torch import Tensor

from dfplan.agent import GoalPolicy, MPCAgent, PlannedActions, Pursuit
from dfplan.models import load_forcing_model
from dfplan.planner import Planner, PlannerSettings
from lerobot_policy_dfplan.configuration_dfplan import DfplanConfig

_BUNDLE = "dfplan"  # the weights' folder inside a saved policy


class DfplanPolicy(PreTrainedPolicy):
    """Plans from the state to the goal and acts.

    A batch holds ``observation.state`` ``(batch, observation_dim)`` and ``observation.environment_state``, the goal,
    ``(batch, goal_dim)``. A row begins a new episode after :meth:`reset` and where its goal changes; the first
    observation needs no history before it.

    Args:
        config: where the weights are and how to plan.

    Raises:
        dfplan.errors.UserError: the weights are missing or damaged.
    """

    config_class = DfplanConfig
    name = "dfplan"

    def __init__(self, config: DfplanConfig, **_: Any) -> None:
        super().__init__(config)
        config.validate_features()
        model = load_forcing_model(Path(config.weights)).to(str(config.device))
        self.denoiser = model.denoiser
        self._planner = Planner(model, settings=PlannerSettings(num_candidates=config.num_candidates))
        self.reset()

    def reset(self) -> None:
        """Begin new episodes, with the same noise as the first ones."""
        model, config = self._planner.model, self.config
        controller = (
            Pursuit(model.dynamics, goal_radius=model.goal_radius)
            if config.controller == "pursuit"
            else PlannedActions()
        )
        agent = MPCAgent(self._planner, controller=controller, replan_every=config.replan_every, horizon=config.horizon)
        self._acting = GoalPolicy(agent, seed=config.seed)
        self._generators: list[torch.Generator] = []
        self._drop = False

    def drop_queued_actions(self) -> None:
        """Plan anew at the next ``select_action``."""
        self._drop = True

    @torch.no_grad()
    def select_action(self, batch: dict[str, Tensor], **_: Any) -> Tensor:
        """The action of this step, ``(batch, action_dim)``."""
        states, goals = self._inputs(batch)
        starting = np.full(len(states), self._drop)
        self._drop = False
        actions, _state = self._acting.predict({"observation": states, "desired_goal": goals}, episode_start=starting)
        return torch.as_tensor(actions, device=batch[OBS_STATE].device)

    def supports_rtc(self) -> bool:
        """Whether a chunk can begin with what is left of the one before, and join it without a seam."""
        return self._planner.supports_rtc

    @torch.no_grad()
    def predict_action_chunk(
        self,
        batch: dict[str, Tensor],
        *,
        inference_delay: int | None = None,
        prev_chunk_left_over: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """The next planned actions, ``(batch, chunk_size, action_dim)``; zeros where a plan ends before.

        Args:
            batch: what is seen now.
            inference_delay: steps that pass until the chunk is there; None is none.
            prev_chunk_left_over: ``(steps, action_dim)``, or with a batch in front, what is left of the chunk before.
                The first ``inference_delay`` of them are carried out in the meantime: the chunk begins with them.
        """
        states, goals = self._inputs(batch)
        committed = None
        if inference_delay and prev_chunk_left_over is not None:
            left = prev_chunk_left_over.detach().cpu().float().numpy()[..., :inference_delay, :]
            committed = [each.copy() for each in np.broadcast_to(left, (len(states), *left.shape[-2:]))]
        if len(self._generators) != len(states):
            seeds = range(self.config.seed, self.config.seed + len(states))
            self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        plan = self._planner.plan(
            states, goals, horizon=self.config.horizon, generators=self._generators, committed=committed
        )
        chunk = np.zeros((len(states), self.config.chunk_size, plan.actions.shape[2]), np.float32)
        for row, num_steps in enumerate(np.minimum(plan.num_steps, self.config.chunk_size)):
            chunk[row, :num_steps] = plan.actions[row, :num_steps]
        return torch.as_tensor(chunk, device=batch[OBS_STATE].device)

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict | None]:
        """Not here.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("LeRobot runs this policy but does not train it; train with `dfplan train`")

    def get_optim_params(self) -> dict:
        """The network's parameters."""
        return {"params": list(self.denoiser.parameters())}

    @classmethod
    def from_pretrained(
        cls, pretrained_name_or_path: str | Path, *, config: DfplanConfig | None = None, **options: Any
    ) -> "DfplanPolicy":
        """A policy from a folder that ``save_pretrained`` wrote.

        Raises:
            FileNotFoundError: it is no folder on this machine.
        """
        folder = Path(pretrained_name_or_path)
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is no folder; fetch it first: hf download <name> --local-dir <folder>")
        config = config or DfplanConfig.from_pretrained(folder, **options)
        return cls(replace(config, weights=str(folder / _BUNDLE))).eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the configuration, and the weights in dfplan's own format with their checksum."""
        self.config._save_pretrained(save_directory)
        folder = save_directory / _BUNDLE
        folder.mkdir(exist_ok=True)
        for name in ("model.json", "model.safetensors"):
            shutil.copyfile(Path(self.config.weights) / name, folder / name)

    def _inputs(self, batch: dict[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        missing = {OBS_STATE, OBS_ENV_STATE} - set(batch)
        if missing:
            raise ValueError(f"the batch has no {sorted(missing)[0]}; it holds {sorted(batch)}")
        state, goal = (batch[name].detach().cpu().double().numpy() for name in (OBS_STATE, OBS_ENV_STATE))
        return state, goal

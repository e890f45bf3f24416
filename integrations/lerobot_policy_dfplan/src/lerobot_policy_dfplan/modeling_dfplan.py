"""The policy: dfplan's receding-horizon agent behind LeRobot's ``select_action`` and ``predict_action_chunk``."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from lerobot.policies import PreTrainedPolicy
from torch import Tensor

from dfplan.agent import GoalPolicy, MPCAgent, PlannedActions, ShootingTracker
from dfplan.domains.one_env import REPLAN_PATHS
from dfplan.models import load_forcing_model
from dfplan.models.forcing_model import ForcingModel
from dfplan.models.hub import KINDS_OF_FILES
from dfplan.models.library import folder_of
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.acting import Acting, usual_acting
from lerobot_policy_dfplan.configuration_dfplan import DfplanConfig
from lerobot_policy_dfplan.inputs import Inputs
from lerobot_policy_dfplan.processor_dfplan import make_dfplan_pre_post_processors

_BUNDLE = "dfplan"  # the weights' folder inside a saved policy
_PATH_HORIZON = 800  # steps, of weights that plan a whole episode


class DfplanPolicy(PreTrainedPolicy):
    """Plans from what is observed, to the goal where the weights know goals, and acts.

    A row of a batch begins a new episode after :meth:`reset` and where its goal changes; the first observation needs no
    history before it.

    Args:
        config: where the weights are, what they are shown, and how to plan.

    Raises:
        dfplan.errors.UserError: the weights are missing or damaged.
        ValueError: they are those of another robot.
    """

    config_class = DfplanConfig
    name = "dfplan"

    def __init__(self, config: DfplanConfig, **_: Any) -> None:
        super().__init__(config)
        config.validate_features()
        self._folder = folder_of(config.weights)
        model = load_forcing_model(self._folder).to(str(config.device))
        self._inputs = Inputs(config, model.layout)
        self.denoiser = model.denoiser
        usual = _as_usual(model)
        settings = usual.settings
        if config.num_candidates is not None:
            settings = replace(settings, num_candidates=config.num_candidates)
        self._horizon = config.horizon or usual.horizon or _PATH_HORIZON
        self._replan_every = config.replan_every or usual.replan_every
        self._planner = Planner(model, settings=settings)
        self.reset()

    def reset(self) -> None:
        """Begin new episodes, with the same noise as the first ones."""
        model, drives = self._planner.model, self.config.controller
        if drives == "shooting" or (drives is None and _knows_paths(model)):
            controller = ShootingTracker(model.dynamics, goal_radius=model.goal_radius)
        else:
            controller = PlannedActions(model.layout.action_dim)
        agent = MPCAgent(self._planner, controller=controller, replan_every=self._replan_every, horizon=self._horizon)
        self._acting = GoalPolicy(agent, seed=self.config.seed)
        self._generators: list[torch.Generator] = []
        self._inputs.reset()

    @torch.no_grad()
    def select_action(self, batch: dict[str, Tensor], **_: Any) -> Tensor:
        """The action of this step, ``(batch, action_dim)``."""
        observations, goals = self._inputs.of(batch)
        actions, _state = self._acting.predict({"observation": observations, "desired_goal": goals})
        return torch.as_tensor(actions, device=batch[self._inputs.names[0]].device)

    def supports_rtc(self) -> bool:
        """Whether a chunk can begin with what is left of the one before, and join it without a seam.

        Weights that observe more than one step cannot: LeRobot's engine shows the newest observation alone, now and
        then, which says nothing of the step before it.
        """
        return self._planner.supports_rtc and self.config.n_obs_steps == 1

    @torch.no_grad()
    def predict_action_chunk(
        self,
        batch: dict[str, Tensor],
        *,
        inference_delay: int | None = None,
        prev_chunk_left_over: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """The next planned actions, ``(batch, steps, action_dim)``, as many as are planned, at most ``chunk_size``.

        Where one row has more of them than another, the other's end with zeros.

        Args:
            batch: what is seen now.
            inference_delay: steps that pass until the chunk is there; None is none.
            prev_chunk_left_over: ``(steps, action_dim)``, or with a batch in front, what is left of the chunk before.
                The first ``inference_delay`` of them are carried out in the meantime: the chunk begins with them.
        """
        observations, goals = self._inputs.of(batch)
        committed = None
        if inference_delay and prev_chunk_left_over is not None:
            left = prev_chunk_left_over.detach().cpu().float().numpy()[..., :inference_delay, :]
            committed = [each.copy() for each in np.broadcast_to(left, (len(observations), *left.shape[-2:]))]
        if len(self._generators) != len(observations):
            seeds = range(self.config.seed, self.config.seed + len(observations))
            self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        plan = self._planner.plan(
            observations,
            goals if goals.shape[1] else None,
            horizon=self._horizon,
            generators=self._generators,
            committed=committed,
        )
        lengths = np.minimum(plan.num_steps, self.config.chunk_size)
        chunk = np.zeros((len(lengths), lengths.max(), plan.actions.shape[2]), np.float32)
        for row, num_steps in enumerate(lengths):
            chunk[row, :num_steps] = plan.actions[row, :num_steps]
        return torch.as_tensor(chunk, device=batch[self._inputs.names[0]].device)

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
        cls,
        pretrained_name_or_path: str | Path,
        *,
        config: DfplanConfig | None = None,
        revision: str | None = None,
        **options: Any,
    ) -> "DfplanPolicy":
        """A policy from a folder that ``save_pretrained`` wrote, or from the hub, where LeRobot puts such a folder.

        Raises:
            OSError: it is no folder on this machine, and the hub has none, or cannot be reached.
        """
        folder = Path(pretrained_name_or_path)
        if not folder.is_dir():
            name = str(pretrained_name_or_path)
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(KINDS_OF_FILES)))
        config = config or DfplanConfig.from_pretrained(folder, **options)
        return cls(replace(config, weights=str(folder / _BUNDLE))).eval()

    def _save_pretrained(self, save_directory: Path, state_dict: dict[str, Tensor] | None = None) -> None:
        """Write configuration and pipelines, and the weights in dfplan's own format with their checksum.

        Args:
            save_directory: where to.
            state_dict: LeRobot's, of a policy that it trained; this one it does not.
        """
        replace(self.config, weights="")._save_pretrained(save_directory)  # they are beside it
        for pipeline in make_dfplan_pre_post_processors(self.config):
            pipeline.save_pretrained(save_directory)
        folder = save_directory / _BUNDLE
        folder.mkdir(exist_ok=True)
        for name in ("model.json", "model.safetensors"):
            shutil.copyfile(self._folder / name, folder / name)


def _knows_paths(model: ForcingModel) -> bool:
    return hasattr(model.scorer, "dynamics")


def _as_usual(model: ForcingModel) -> Acting:
    """As the command line has it for such weights."""
    return Acting(PlannerSettings(), None, REPLAN_PATHS) if _knows_paths(model) else usual_acting(model)

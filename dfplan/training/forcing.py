"""The Diffusion Forcing task: denoise trajectory tokens that each carry a noise level of their own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.data.windows import WindowBatch
from dfplan.diffusion import Parameterization, Schedule, add_noise, loss_weights, sample_levels
from dfplan.domain import PlanScorer
from dfplan.models.bundle import save_bundle
from dfplan.models.denoiser import Denoiser
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import CONTEXT_TOKEN, GOAL_TOKEN, NUM_PREFIX_TOKENS, Normalizer, TokenLayout, without
from dfplan.tokens.normalizer import SHARE_MEAN, SHARE_STD
from dfplan.training.batch import beside
from dfplan.training.muon import Muon
from dfplan.training.task import Dataset

UNSEEN = 0.25  # share of the observations of a known past of which nothing is known


def draw_levels(settings: DiffusionSettings, shape: tuple[int, int], *, generator: torch.Generator) -> Tensor:
    """Levels ``[batch, prefix + tokens, 2]`` (actions; the rest) for ``shape = (batch, tokens)`` without prefix.

    A goal token of pure noise trains the unconditional model, too; with a noisy context, in half of the windows at most
    at level 0.2 and in half at any level, the model works with an observation that is only roughly known; clean actions
    make it the world model of what planners do.
    """
    batch = shape[0]
    rest = sample_levels(shape, kind=settings.levels, generator=generator)
    mode = torch.rand((batch, 1), generator=generator)
    own = sample_levels(shape, kind=settings.levels, generator=generator)
    known, noised = settings.actions_known, settings.context_noised
    actions = torch.where(mode < known, torch.zeros_like(rest), rest)
    apart = (mode >= known) & (mode < known + settings.actions_apart)
    actions = torch.where(apart, own, actions)
    prefix = torch.zeros(batch, NUM_PREFIX_TOKENS, 2)
    prefix[:, GOAL_TOKEN] = (torch.rand((batch, 1), generator=generator) < settings.goal_dropped).float()
    drawn = torch.rand((batch, 1), generator=generator)
    roughness = torch.rand((batch, 1), generator=generator)
    scale = torch.where(drawn < noised / 2, 0.2, 1.0) * (drawn < noised)
    prefix[:, CONTEXT_TOKEN] = scale * roughness
    levels = torch.cat([prefix, torch.stack([actions, rest], dim=-1)], dim=1)
    return with_history(settings, levels, generator=generator) if settings.history_known else levels


def with_history(settings: DiffusionSettings, levels: Tensor, *, generator: torch.Generator) -> Tensor:
    """Levels ``[batch, prefix + tokens, 2]``, where a share of windows is known up to a token drawn by chance.

    Actions are known there, and observations but for :data:`UNSEEN` of them, of which nothing is: so agents know what
    was before, where some of what they see is marked as noise. Levels drawn by themselves hardly ever look like that.
    """
    batch, num_tokens = len(levels), levels.shape[1] - NUM_PREFIX_TOKENS
    known_tokens = torch.randint(num_tokens, (batch, 1), generator=generator)
    chosen = torch.rand((batch, 1), generator=generator) < settings.history_known
    unseen = (torch.rand((batch, 1 + num_tokens), generator=generator) < UNSEEN).to(levels)
    levels = levels.clone()
    levels[:, CONTEXT_TOKEN] = levels[:, CONTEXT_TOKEN].where(~chosen, unseen[:, :1])
    past = (chosen & (torch.arange(num_tokens) < known_tokens))[..., None]
    own = torch.stack([torch.zeros_like(unseen[:, 1:]), unseen[:, 1:]], dim=-1)
    levels[:, NUM_PREFIX_TOKENS:] = levels[:, NUM_PREFIX_TOKENS:].where(~past, own)
    return levels


def draw_committed(settings: DiffusionSettings, shape: tuple[int, int], *, generator: torch.Generator) -> Tensor:
    """Of how many steps actions are known in front, for ``shape = (batch, steps)``, ``[batch]`` int64; 0 is none.

    As many as are carried out while a plan is made: training-time real-time chunking (arXiv 2512.05964).
    """
    batch, num_steps = shape
    steps = torch.randint(1, min(settings.most_committed, num_steps - 1) + 1, (batch,), generator=generator)
    return torch.where(torch.rand(batch, generator=generator) < settings.actions_committed, steps, 0)


def parameterization_of(settings: DiffusionSettings) -> Parameterization:
    """What the network predicts, and its noise schedule."""
    return Parameterization(settings.prediction, Schedule(settings.schedule))


def as_asked(levels: Tensor, *, dynamics: Tensor, aimless: Tensor) -> Tensor:
    """Levels ``[batch, prefix + tokens, 2]`` as windows want them: see :class:`~dfplan.data.windows.WindowBatch`.

    Where ``dynamics`` ``[batch]`` is True, actions are clean and the goal is noise; so it is where ``aimless`` is True.
    """
    levels = levels.clone()
    levels[:, NUM_PREFIX_TOKENS:, 0] = levels[:, NUM_PREFIX_TOKENS:, 0].where(~dynamics[:, None], 0.0)
    levels[:, GOAL_TOKEN] = levels[:, GOAL_TOKEN].where(~(dynamics | aimless)[:, None], 1.0)
    return levels


def clean_tokens(
    batch: WindowBatch, *, layout: TokenLayout, normalizer: Normalizer, returns_shown: bool = False
) -> Tensor:
    """Normalised tokens of a batch behind their prefix, ``[batch, prefix + tokens, token_dim]``, without noise."""
    normalizer = normalizer.to(torch.as_tensor(batch.context).device)
    actions = normalizer.actions(torch.as_tensor(batch.actions))
    observations = normalizer.observations(torch.as_tensor(batch.observations))
    rewards = normalizer.rewards(torch.as_tensor(batch.rewards))
    context = normalizer.observations(torch.as_tensor(batch.context))
    goal = normalizer.observations(torch.as_tensor(batch.goal))
    wanted: Tensor | float = 0.0
    if returns_shown:
        valid = torch.as_tensor(batch.valid).to(rewards)
        wanted = (rewards * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)
    return torch.cat([layout.prefix(goal, context, rewards=wanted), layout.pack(actions, rewards, observations)], dim=1)


class ForcingTask:
    """Trains a denoiser on windows; see :class:`~dfplan.training.task.Task` for what the loop expects.

    Args:
        denoiser: the network.
        layout: what a token holds.
        normalizer: measured on the data.
        diffusion: how noise is drawn, what is predicted, and what weighs how much. Of action slots there are much fewer
            than of others, and tokens after the goal was reached matter little to a planner.
        optimizer: how weights are moved; of its precision see :func:`~dfplan.training.muon.fastest_precision`.
        scorer: what makes a plan good, measured on the data; exported with the weights.
        validation: held-out windows, or None.
        metadata: what the exported bundle says of its making; plain JSON values.
        absent: of actions, rewards and observations those that the data do not have.

    Attributes:
        beside: writes into the folder of a bundle what belongs to it besides, such as a tokenizer; None is nothing.
    """

    def __init__(
        self,
        *,
        denoiser: Denoiser,
        layout: TokenLayout,
        normalizer: Normalizer,
        diffusion: DiffusionSettings,
        optimizer: OptimizerSettings,
        scorer: PlanScorer,
        validation: Dataset | None,
        metadata: Mapping[str, Any],
        absent: frozenset[str] = frozenset(),
    ) -> None:
        self.modules: dict[str, nn.Module] = {"denoiser": denoiser}
        self.denoise = torch.compile(denoiser) if optimizer.compiled else denoiser
        self.layout, self.normalizer = layout, normalizer
        self.diffusion, self.optimizer = diffusion, optimizer
        self.parameterization = parameterization_of(diffusion)
        self.absent = absent
        self.scorer = scorer
        self.validation = validation
        self.metadata = dict(metadata)
        self.beside: Callable[[Path], None] | None = None
        self.slot_weight = torch.ones(layout.token_dim)
        self.slot_weight[: layout.num_action_slots] = diffusion.action_weight
        self.slot_weight[layout.slots_of(absent)] = 0.0

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices of the blocks, AdamW for everything else."""
        denoiser = self.modules["denoiser"]
        matrices = denoiser.block_matrices()  # type: ignore[operator]
        chosen = {id(parameter) for parameter in matrices}
        others = [parameter for parameter in denoiser.parameters() if id(parameter) not in chosen]
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                others, lr=self.optimizer.learning_rate, weight_decay=self.optimizer.weight_decay, betas=(0.9, 0.99)
            )
        ]
        if matrices:
            optimizers.append(
                Muon(
                    matrices,
                    matrix_precision=self.optimizer.matrix_precision,
                    lr=self.optimizer.matrix_learning_rate,
                    weight_decay=self.optimizer.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        return optimizers

    def training_step(
        self, batch: WindowBatch, *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Loss of one batch, and the mean squared error of each slot group."""
        return self._loss(batch, self.denoise, generator=generator)

    def _loss(
        self, batch: WindowBatch, denoise: Callable[..., Any], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        clean, weights = self._tokens(batch)
        shape = (clean.shape[0], clean.shape[1] - NUM_PREFIX_TOKENS)
        levels = draw_levels(self.diffusion, shape, generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        levels, noise = levels.to(clean.device), noise.to(clean.device)
        aimless = torch.as_tensor(batch.aimless)
        if self.diffusion.returns_shown and not batch.goal.shape[1]:
            aimless = torch.zeros_like(aimless)  # there is no goal to hide
        levels = as_asked(levels, dynamics=torch.as_tensor(batch.dynamics), aimless=aimless)
        levels = without(levels, self.absent, first=NUM_PREFIX_TOKENS)
        slot_levels = self.layout.per_slot(levels)
        if self.diffusion.actions_committed and "actions" not in self.absent:
            steps = draw_committed(self.diffusion, (len(clean), batch.actions.shape[1]), generator=generator)
            known = self.layout.committed_slots(steps.to(clean.device), num_tokens=shape[1])
            levels[:, NUM_PREFIX_TOKENS:, 0] = levels[:, NUM_PREFIX_TOKENS:, 0].where(~known.all(dim=-1), 0.0)
            actions = slot_levels[:, NUM_PREFIX_TOKENS:, : self.layout.num_action_slots]
            actions.copy_(actions.where(~known, 0.0))
            clean = self.layout.with_committed(clean, steps)
        error = self._squared_error(denoise, clean, noise, levels=levels, slot_levels=slot_levels)
        goal_shown = levels[:, GOAL_TOKEN, :1] == 0
        token_weight = torch.where(goal_shown, weights["shown"], weights["hidden"])
        rest = levels[:, NUM_PREFIX_TOKENS:, 1]
        token_weight = token_weight * loss_weights(
            rest, kind=self.diffusion.loss_weight, parameterization=self.parameterization
        )
        # Known actions are inputs, not targets.
        known = slot_levels[:, NUM_PREFIX_TOKENS:] == 0
        slot_weight = torch.where(known, 0.0, self.slot_weight.to(clean.device)) * token_weight[..., None]
        # A plain mean, not divided by the weights present: parts of a batch then add up to the whole.
        loss = (slot_weight * error).mean()
        return loss, self._metrics(error.detach(), token_weight)

    def _tokens(self, batch: WindowBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Normalised clean tokens with their prefix, and token weights with the goal shown or hidden."""
        valid = torch.as_tensor(batch.valid).float()
        after = torch.where(torch.as_tensor(batch.before_goal), 1.0, self.diffusion.after_goal_weight)
        tokens = clean_tokens(
            batch, layout=self.layout, normalizer=self.normalizer, returns_shown=self.diffusion.returns_shown
        )
        return tokens, {"shown": valid * after, "hidden": valid}

    def _squared_error(
        self, denoise: Callable[..., Any], clean: Tensor, noise: Tensor, *, levels: Tensor, slot_levels: Tensor
    ) -> Tensor:
        """Squared error of the prediction, without the prefix, ``[batch, tokens, token_dim]``."""
        noisy = add_noise(clean, noise, level=slot_levels, schedule=self.parameterization.schedule)
        prediction, _ = denoise(noisy, levels[..., :2])
        target = self.parameterization.target(clean, noise, level=slot_levels)
        return (prediction - target)[:, NUM_PREFIX_TOKENS:].square()

    def _metrics(self, error: Tensor, token_weight: Tensor) -> dict[str, float | Tensor]:
        by_token = token_weight / token_weight.sum()
        slots = (by_token[..., None] * error).sum(dim=(0, 1))
        found: dict[str, float | Tensor] = {
            "reward_loss": slots[self.layout.reward_slot],
            "observation_loss": slots[self.layout.observation_slots].mean(),
        }
        if self.layout.num_action_slots:
            found = {"action_loss": slots[: self.layout.num_action_slots].mean(), **found}
        return found

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """Losses of the given modules on held-out windows with fixed noise, so that validations compare."""
        if self.validation is None:
            return {}
        batch = beside(modules["denoiser"], self.validation.sample(256, np.random.default_rng(seed)))
        loss, metrics = self._loss(batch, modules["denoiser"], generator=torch.Generator().manual_seed(seed))
        return {"loss": float(loss), **{name: float(value) for name, value in metrics.items()}}

    def _scales(self) -> dict[str, Any]:
        """What a bundle says of rewards; nothing where they are shares of steps, as all were once."""
        mean, std = self.normalizer.reward_mean, self.normalizer.reward_std
        return {} if (mean, std) == (SHARE_MEAN, SHARE_STD) else {"rewards": {"mean": mean, "std": std}}

    def denoiser_weights(self) -> Mapping[str, Tensor]:
        """What is exported of the network, by the names of a denoiser as ``build_denoiser`` makes it."""
        return self.modules["denoiser"].state_dict()

    def export(self, folder: Path) -> None:
        """Write the bundle that a planner loads: weights, normaliser, and how to rebuild the network."""
        if self.beside is not None:
            self.beside(folder)
        tensors = {f"denoiser.{name}": value for name, value in self.denoiser_weights().items()}
        tensors |= {f"normalizer.{name}": value for name, value in self.normalizer.state_dict().items()}
        described, arrays = self.scorer.describe()
        tensors |= {name: torch.from_numpy(values) for name, values in arrays.items()}
        metadata = {
            **self.metadata,
            "scorer": self.scorer.kind,
            **described,
            **self._scales(),
            **({"returns_shown": True} if self.diffusion.returns_shown else {}),
            **({"committed_shown": True} if self.diffusion.actions_committed else {}),
            **({"absent": sorted(self.absent)} if self.absent else {}),
            "layout": vars(self.layout),
            "schedule": self.parameterization.schedule.name,
            "prediction": self.parameterization.kind,
        }
        save_bundle(folder, tensors, metadata)

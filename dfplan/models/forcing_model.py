"""A trained model as a planner uses it: network, token layout, normaliser, schedule, rebuilt from a bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dfplan import plugins
from dfplan.diffusion import Parameterization, Schedule
from dfplan.domain import PlanScorer
from dfplan.domains import former
from dfplan.errors import UserError
from dfplan.measured import check_values, with_present_names
from dfplan.models.bundle import load_bundle
from dfplan.models.denoiser import Denoiser
from dfplan.models.description import (
    action_bounds,
    check_num_tokens,
    check_numbers,
    check_others,
    check_shapes,
    check_sizes,
    reward_scale,
)
from dfplan.models.rnn import RecurrentDenoiser
from dfplan.models.transformer import TransformerDenoiser
from dfplan.scorers import read_scorer
from dfplan.settings.planning import SLOTS
from dfplan.tokens import NUM_PREFIX_TOKENS, Normalizer, TokenLayout
from dfplan.types import MARGIN, Bounds, DoubleIntegrator, Reach, Support

DENOISERS = {"transformer": TransformerDenoiser, "rnn": RecurrentDenoiser}
MEASURED = ("support.", "scorer.")  # names of tensors begin so that are a scorer's
MAX_ANSWER = 1e4  # of a network to noise, which is about 1
SENSELESS = (
    AttributeError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
)  # what a description that makes no sense leads to


@dataclass(frozen=True)
class ForcingModel:
    """Everything that is needed to denoise in environment units.

    Attributes:
        denoiser: in evaluation mode, without gradients to its weights.
        layout: what a token holds.
        normalizer: environment units to the scale of the noise.
        parameterization: what the network predicts, and the schedule.
        num_tokens: tokens of a training window.
        scorer: what makes one plan better than another, as measured on the training data.
        action_bounds: between which numbers planned actions lie.
        metadata: the whole description of the bundle.
    """

    denoiser: Denoiser
    layout: TokenLayout
    normalizer: Normalizer
    parameterization: Parameterization
    num_tokens: int
    scorer: PlanScorer
    action_bounds: Bounds
    metadata: Mapping[str, Any]

    @property
    def goal_radius(self) -> float:
        """Distance that counts as being at the goal."""
        radius = getattr(self.scorer, "goal_radius", None)
        if radius is None:
            raise UserError(f"these weights know of no goals (they score plans by {self.scorer.kind})")
        return radius

    @property
    def absent(self) -> frozenset[str]:
        """Which of :data:`~dfplan.settings.planning.SLOTS` the data did not have; they stay pure noise."""
        return frozenset(self.metadata.get("absent", ()))

    @property
    def committed_shown(self) -> bool:
        """Whether training showed windows whose first actions are known (``diffusion.actions_committed``)."""
        return bool(self.metadata.get("committed_shown"))

    @property
    def step_seconds(self) -> float:
        """Time from step to step; 1 where nobody says."""
        return getattr(self.scorer, "step_seconds", None) or self.metadata.get("step_seconds") or 1.0

    def clipped(self, actions: Tensor) -> Tensor:
        """Actions ``[..., action_dim]`` as the environment takes them."""
        low, high = (torch.as_tensor(each).to(actions) for each in (self.action_bounds.low, self.action_bounds.high))
        return actions.clamp(low, high)

    @property
    def dynamics(self) -> DoubleIntegrator:
        """How actions move the robot; refused where that was not measured."""
        return self._measured("dynamics")

    @property
    def support(self) -> Support:
        """Which places the training data visited; likewise."""
        return self._measured("support")

    def __getattr__(self, name: str) -> Any:
        if name in ("plan", "predict", "act"):
            raise AttributeError(
                f"a model has no {name!r}; dfplan.Planner(model, settings=dfplan.PlannerSettings()) plans and predicts "
                "with it, dfplan.Agent(model, env) acts"
            )
        return former.present(self, name)

    def _measured(self, name: str) -> Any:
        """What a scorer keeps that was measured on the data.

        Raises:
            UserError: it keeps no such thing.
        """
        if not hasattr(self.scorer, name):
            raise UserError(
                "these weights know neither how actions move the robot nor where the data was (they score plans by "
                f"{self.scorer.kind}); controller=shooting and agent=grid need both: use weights that do, such as "
                "maze2d-large, or controller=actions"
            )
        return getattr(self.scorer, name)

    def reach(self, *, margin: float | None = MARGIN) -> Reach:
        """What can be planned from and to; see :meth:`dfplan.domain.PlanScorer.reach`."""
        mean, std = self.normalizer.observation_mean.cpu().numpy(), self.normalizer.observation_std.cpu().numpy()
        return self.scorer.reach(mean, std, goal_dim=self.layout.goal_dim, margin=margin)

    def to(self, device: str) -> "ForcingModel":
        """Move the weights; returns itself."""
        try:
            self.denoiser.to(torch.device(device))
            self.normalizer.to(torch.device(device))
        except (AssertionError, RuntimeError, TypeError) as error:  # torch says so, at length
            raise UserError(
                f"the weights cannot be moved to device {device!r:.60}: {str(error).splitlines()[0]:.120}"
            ) from error
        return self


def build_denoiser(name: str, *, layout: TokenLayout, causal: bool = True, **sizes: Any) -> Denoiser:
    """Build an untrained denoiser.

    Args:
        name: ``transformer``, ``rnn``, or one that an installed package brings.
        layout: what a token holds.
        causal: whether a token sees only those before it; an ``rnn`` always is.
        sizes: keyword arguments of :class:`TransformerDenoiser`, :class:`RecurrentDenoiser` or the package's own.

    Raises:
        UserError: unknown name or size.
    """
    shared: dict[str, Any] = {
        "token_dim": layout.token_dim,
        "goal_slots": layout.goal_slots,
        "num_prefix_tokens": NUM_PREFIX_TOKENS,
    }
    network = plugins.find("denoisers", name, own=DENOISERS)
    if network is not RecurrentDenoiser:
        shared["causal"] = causal
    elif not causal:
        raise UserError("an rnn reads tokens in their order and is always causal; use model=transformer")
    try:
        for size, value in sizes.items():
            if value < 1:
                raise UserError(f"{size} of model {name!r} must be at least 1; got {value}")
        return network(**shared, **sizes)
    except TypeError as error:
        raise UserError(f"the sizes {sizes} do not fit model {name!r}: {error}") from error


def load_forcing_model(folder: Path) -> ForcingModel:
    """Rebuild a model from a bundle that :meth:`dfplan.training.forcing.ForcingTask.export` wrote.

    Raises:
        UserError: the bundle is missing or damaged, or is not of a planner.
    """
    tensors, metadata = load_bundle(folder, check=partial(_check_claims, folder=folder))
    try:
        layout = TokenLayout(**with_present_names(metadata["layout"]))
        denoiser = build_denoiser(layout=layout, **metadata["model"])
        parameterization = Parameterization(metadata["prediction"], Schedule(metadata["schedule"]))
        num_tokens = check_num_tokens(metadata["num_tokens"])
        measured = {name: value.numpy() for name, value in tensors.items() if name.startswith(MEASURED)}
        scorer = read_scorer(metadata, measured)
        bounds = action_bounds(metadata, action_dim=layout.action_dim)
        rewards = reward_scale(metadata)
        if not set(metadata.get("absent", ())) <= set(SLOTS):
            raise ValueError(f"absent must be among {', '.join(SLOTS)}; got {metadata['absent']!r:.40}")
    except SENSELESS as error:
        raise _no_planner(folder, error) from error
    normalizer = Normalizer.blank(action_dim=layout.action_dim, observation_dim=layout.observation_dim, **rewards)
    load_weights(denoiser, tensors, prefix="denoiser.", folder=folder)
    load_weights(normalizer, tensors, prefix="normalizer.", folder=folder)
    denoiser = denoiser.eval().requires_grad_(False)
    try:
        scorer.check(normalizer.observation_mean.numpy(), normalizer.observation_std.numpy())
        _check_answers(denoiser, layout=layout)
    except ValueError as error:
        raise _no_planner(folder, error) from error
    return ForcingModel(
        denoiser=denoiser,
        layout=layout,
        normalizer=normalizer,
        parameterization=parameterization,
        num_tokens=num_tokens,
        scorer=scorer,
        action_bounds=bounds,
        metadata=metadata,
    )


def _check_claims(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any], *, folder: Path) -> None:
    """Refuse a description whose layout and network are not those of the tensors, before these take any memory."""
    try:
        sizes = {name: value for name, value in metadata["model"].items() if name not in ("name", "causal")}
        described = with_present_names(metadata["layout"])
        for each in (described, sizes):
            check_sizes(each, shapes)
        causal = metadata["model"].get("causal", True)  # absent from bundles of before there was a choice
        if type(causal) is not bool:
            raise ValueError(f"causal must be true or false; got {causal!r:.40}")
        layout = TokenLayout(**described)
        if metadata["model"]["name"] in DENOISERS:
            check_numbers(
                num_layers=sizes["num_layers"], width=sizes["width"], token_dim=layout.token_dim, shapes=shapes
            )
        else:
            with torch.device("meta"):  # without memory
                check_shapes(build_denoiser(layout=layout, **metadata["model"]), shapes, prefix="denoiser.")
        check_others(shapes)
    except SENSELESS as error:
        raise _no_planner(folder, error) from error


@torch.no_grad()
def _check_answers(denoiser: Denoiser, *, layout: TokenLayout) -> None:
    """Refuse a network that answers an ordinary question with numbers that nothing can be done with.

    Raises:
        ValueError: it does.
    """
    noise = torch.randn(1, NUM_PREFIX_TOKENS + 2, layout.token_dim, generator=torch.Generator().manual_seed(0))
    answer = denoiser(noise, torch.full((1, noise.shape[1], 2), 0.5))[0]
    if not (answer.abs() <= MAX_ANSWER).all():
        raise ValueError(f"its network answers noise with numbers that are not finite or beyond {MAX_ANSWER:g}")


def _no_planner(folder: Path, error: Exception) -> UserError:
    return UserError(f"{folder} does not describe a dfplan planner ({error}); train one with `dfplan train`")


def load_weights(module: torch.nn.Module, tensors: Mapping[str, Tensor], *, prefix: str, folder: Path) -> None:
    """Put the tensors of a bundle whose names begin with ``prefix`` into a module.

    Raises:
        UserError: they are not finite, far too large, deviations that are zero, or not those of the module.
    """
    own = {name: value for name, value in tensors.items() if name.startswith(prefix)}
    check_tensors(own, folder=folder)
    own = {name.removeprefix(prefix): value for name, value in own.items()}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        first_line = str(error).splitlines()[-1].strip()
        raise UserError(f"{folder}: the weights do not fit the network its description names ({first_line})") from error


def check_tensors(tensors: Mapping[str, Tensor], *, folder: Path) -> None:
    """Refuse tensors that nothing can be computed with.

    Raises:
        UserError: one is not finite, far too large, or a deviation that is zero.
    """
    for name, value in tensors.items():
        try:
            check_values(f"tensor {name}", value.double().numpy())
        except ValueError as error:
            raise UserError(f"{folder}: {error}; train it again") from error

"""Guidance: moves predicted clean tokens towards a large objective, as far as the noise left leaves room for it.

Plans are drawn from ``p(plan) * exp(strength * objective(plan))``: a weight is a log-probability per unit of what it
weighs, whatever the batch, the normaliser and the number of noise levels. With ``C`` the covariance of the clean tokens
given the noisy ones, which a denoiser tells by its derivative (Tweedie's formula, differentiated),

    C = sigma² / alpha * (d clean / d noisy)ᵀ,        clean += eta * C gradient,        0 <= eta <= strength,

where ``eta`` makes ``objective - eta² / (2 strength) * gradientᵀ C gradient`` largest along that line: the objective
against the improbability of the step. For Gaussian plans this is exact where the objective is linear (``eta`` is the
strength), and where it is quadratic and ``C`` isotropic; no strength overshoots. ``eta = strength`` throughout would be
diffusion posterior sampling (arXiv 2209.14687, eq. 10 and 16).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dfplan.diffusion import Parameterization, add_noise
from dfplan.errors import CodeOfOthers, UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.models.token_model import TokenModel
from dfplan.planner.objectives import Objective, PredictedPlan
from dfplan.tokens import Normalizer, TokenLayout

# At pure noise a token says nothing of its neighbours (alpha is 0); guided tokens are shown at this level at most.
SHOWN_LEVEL = 0.9
# Level to which Monte Carlo futures are denoised before the objective reads them: halfway, where they differ most.
FUTURE_LEVEL = 0.5
NUM_TRIALS = 8  # evaluations of the objective to find how far to go; none of the network


@dataclass(frozen=True)
class Guidance:
    """What to make large, and for whom.

    Attributes:
        objective: of the predicted plan.
        starts: ``[batch, goal_dim]`` places planned from, in environment units.
        goals: ``[batch, goal_dim]``.
        normalizer: takes tokens to environment units.
        goal_radius: distance that counts as being at the goal.
        seconds_per_point: time between two planned points.
        strength: factor on the objective; one number or one per sequence ``[batch]``.
        num_futures: futures of the tokens that are still pure noise, over which the objective is averaged (Monte Carlo
            guidance, arXiv 2407.01392, section 3.4); 0 takes the one predicted mean.
        lowest_level: noise level of a token below which it is no longer guided.
        highest_level: noise level of a token above which it is not guided yet.
        lookahead: tokens after those being denoised that the objective sees; None is all.
        before: ``[batch, tokens, token_dim]`` clean tokens between ``starts`` and the window, which the objective sees
            too; None is none.
    """

    objective: Objective
    starts: Tensor
    goals: Tensor
    normalizer: Normalizer
    goal_radius: float
    seconds_per_point: float
    strength: float | Tensor = 1.0
    num_futures: int = 0
    lowest_level: float = 0.0
    highest_level: float = 1.0
    lookahead: int | None = None
    before: Tensor | None = None

    def read(self, tokens: Tensor, levels: Tensor, *, rows: Tensor, layout: TokenLayout) -> PredictedPlan:
        """Clean tokens ``[len(rows), tokens, token_dim]`` of the given sequences of the batch as a plan."""
        _, rewards, observations = layout.unpack(tokens)
        return PredictedPlan(
            starts=self.starts[rows],
            goals=self.goals[rows],
            observations=self.normalizer.observations_back(observations),
            rewards=self.normalizer.rewards_back(rewards),
            levels=levels,
            goal_radius=self.goal_radius,
            seconds_per_point=self.seconds_per_point,
        )

    def strengths(self, rows: Tensor) -> Tensor:
        """Strength ``[len(rows)]`` of the given sequences."""
        if isinstance(self.strength, Tensor):
            return self.strength[rows]
        return torch.full((len(rows),), float(self.strength), device=rows.device)


@dataclass(frozen=True)
class Prediction:
    """Predicted clean tokens of a window, and what they cost.

    Attributes:
        clean: ``[batch, window, token_dim]``.
        state: the denoiser's state after the window.
        evaluations: how often each sequence went through the network.
        token_evaluations: how many of its tokens did.
    """

    clean: Tensor
    state: DenoiserState
    evaluations: int
    token_evaluations: int


def predict_guided(
    model: TokenModel,
    tokens: Tensor,
    *,
    levels: Tensor,
    num_finished: int,
    num_current: int,
    state: DenoiserState,
    rows: Tensor,
    guidance: Guidance,
    noise: Callable[[Tensor], Tensor] | None = None,
) -> Prediction:
    """Predict the clean tokens of a window and move those being denoised towards a large objective.

    Args:
        model: predicts clean tokens.
        tokens: ``[batch, num_finished + window, token_dim]``.
        levels: ``[batch or 1, window, 2]`` levels of the tokens after the finished ones.
        num_finished: clean tokens that ``state`` knows.
        num_current: tokens of the window that are being denoised; those after them are pure noise: the future.
        state: the denoiser's state after the finished tokens.
        rows: ``[batch]`` which sequences of the guidance's batch these are.
        guidance: what to make large.
        noise: draws standard Gaussian values ``[batch, all tokens, token_dim]``; needed for futures.
    """
    layout, parameterization = model.layout, model.parameterization

    def split(values: Tensor) -> list[Tensor]:
        return list(values.tensor_split([num_current], dim=1))

    finished, window = tokens[:, :num_finished], tokens.shape[1] - num_finished
    part_levels = split(levels.clamp(max=SHOWN_LEVEL))
    num_future, count = window - num_current, guidance.num_futures if window > num_current else 0
    with torch.enable_grad():
        noisy = [part.detach().requires_grad_() for part in split(tokens[:, num_finished:])]
        whole, grown = model.clean(torch.cat(noisy, dim=1), torch.cat(part_levels, dim=1), state)
        clean = split(whole)
        if count:
            # The futures go on from what the network remembers of the tokens before them: they cost a batch, no loop.
            before = grown.truncate(state.num_tokens + num_current)
            several = torch.arange(len(rows), device=rows.device).repeat_interleave(count)
            part_levels[1] = _repeated(part_levels[1].clamp(max=FUTURE_LEVEL), count)
            noisy[1] = add_noise(
                clean[1][several],
                _draw(noise, rows, count=count)[:, num_finished + num_current : num_finished + window],
                level=layout.per_slot(part_levels[1]),
                schedule=parameterization.schedule,
            )
            clean[1], _ = model.clean(noisy[1], part_levels[1], before.select(several))
        read = _reader(guidance, finished, rows, part_levels, layout)
        gains = [_gain(part, guidance, layout, parameterization) for part in part_levels]
        step = _climb(read, clean, noisy, gains, guidance.strengths(rows))
    guided = torch.cat([clean[0] + step, split(whole)[1]], dim=1).detach()
    return Prediction(
        guided,
        DenoiserState(tuple(layer.detach() for layer in grown.layers)),
        evaluations=1 + count,
        token_evaluations=window + count * num_future,
    )


def _draw(noise: Callable[[Tensor], Tensor] | None, rows: Tensor, *, count: int) -> Tensor:
    """``count`` draws for every row, side by side ``[len(rows) * count, tokens, token_dim]``."""
    if noise is None:
        raise ValueError("Monte Carlo guidance draws futures; pass noise")
    return torch.stack([noise(rows) for _ in range(count)], dim=1).flatten(0, 1)


def _gain(levels: Tensor, guidance: Guidance, layout: TokenLayout, parameterization: Parameterization) -> Tensor:
    """sigma² / alpha of every slot, or 0 at levels that are not guided."""
    slots = layout.per_slot(levels)
    alpha, sigma = parameterization.schedule(slots)
    guided = (slots >= guidance.lowest_level) & (slots <= guidance.highest_level)
    return guided * sigma.square() / alpha


def _repeated(levels: Tensor, count: int) -> Tensor:
    """Levels of every sequence ``count`` times over; levels that hold for the whole batch stay as they are."""
    return levels if len(levels) == 1 else levels.repeat_interleave(count, dim=0)


def _reader(
    guidance: Guidance, finished: Tensor, rows: Tensor, part_levels: Sequence[Tensor], layout: TokenLayout
) -> Callable[[Sequence[Tensor]], Tensor]:
    """The objective ``[batch]`` as a function of current and future clean tokens, averaged over futures."""
    if guidance.before is not None:
        finished = torch.cat([guidance.before[rows], finished], dim=1)
    now, later = (part[..., 1] for part in part_levels)
    before_now = torch.cat([now.new_zeros(len(now), finished.shape[1]), now], dim=1)

    def value(parts: Sequence[Tensor]) -> Tensor:
        current, future = parts
        count = len(future) // len(current)
        before = torch.cat([finished, current], dim=1).repeat_interleave(count, dim=0)
        plan = guidance.read(
            torch.cat([before, future], dim=1),
            torch.cat([_repeated(before_now, count), later], dim=1),
            rows=rows.repeat_interleave(count),
            layout=layout,
        )
        with CodeOfOthers("the objective of a plan"):
            values = guidance.objective(plan)
        return _checked(values, batch=len(future)).view(-1, count).mean(dim=1)

    return value


def _checked(values: object, *, batch: int) -> Tensor:
    """What an objective, perhaps a user's, makes of a batch of plans.

    Raises:
        UserError: it is no tensor of one real number a plan that can be differentiated.
    """
    if not (isinstance(values, Tensor) and values.shape == (batch,) and values.requires_grad):
        got = f"shape {list(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        constant = " that does not depend on the plan" if got == f"shape [{batch}]" else ""
        raise UserError(
            f"an objective maps a batch of plans to a tensor [{batch}], made of them by torch so that it can be "
            f"differentiated; got {got}{constant}"
        )
    return values


def _climb(
    value: Callable[[Sequence[Tensor]], Tensor],
    clean: Sequence[Tensor],
    noisy: Sequence[Tensor],
    gains: Sequence[Tensor],
    strength: Tensor,
) -> Tensor:
    """How far the current clean tokens move, ``[batch, num_current, token_dim]``."""
    batch = len(strength)

    def gradients(parts: Sequence[Tensor]) -> tuple[Tensor, ...]:
        leaves = [part.detach().requires_grad_() for part in parts]
        return torch.autograd.grad(value(leaves).sum(), leaves)

    uphill = gradients(clean)
    back = torch.autograd.grad(list(clean), list(noisy), list(uphill))
    # The objective is a mean over futures, and each of them would move by its own gradient.
    per_future = [len(part) // batch for part in clean]
    steps = [
        count * strength.repeat_interleave(count)[:, None, None] * gain * part
        for count, gain, part in zip(per_future, gains, back, strict=True)
    ]

    def slope(share: Tensor) -> Tensor:
        moved = [
            part + share.repeat_interleave(count)[:, None, None] * step
            for part, step, count in zip(clean, steps, per_future, strict=True)
        ]
        return _product(gradients(moved), steps, batch=batch)

    return share_to_go(slope, at_start=_product(uphill, steps, batch=batch))[:, None, None] * steps[0]


def _product(left: Sequence[Tensor], right: Sequence[Tensor], *, batch: int) -> Tensor:
    """Inner product per sequence, ``[batch]``."""
    products = [(a * b).reshape(batch, -1).sum(dim=1) for a, b in zip(left, right, strict=True)]
    return torch.stack(products).sum(dim=0)


def share_to_go(slope: Callable[[Tensor], Tensor], *, at_start: Tensor) -> Tensor:
    """Which share of a full step to take: the root in [0, 1] of ``slope(share) - share * slope(0)``.

    The first trial is exact where the slope is linear in the share; the others close in (Illinois' method).

    Args:
        slope: derivative ``[batch]`` of the objective along the step, at a share of the step ``[batch]``.
        at_start: the same at share 0; where it is not positive, there is nothing to climb and the share is 0.

    Returns:
        ``[batch]``; 1 where the slope does not fall along the step.
    """
    low, high = torch.zeros_like(at_start), torch.ones_like(at_start)
    above, below = at_start, slope(high) - at_start
    all_the_way, share, was_above = below >= 0, high, None
    for _ in range(NUM_TRIALS):
        share = low + (high - low) * above / (above - below).clamp(min=torch.finfo(above.dtype).tiny)
        found = slope(share) - share * at_start
        is_above = found > 0
        if was_above is not None:
            # The end that stayed twice is believed half: it would hold up the other for ever.
            above = torch.where(~is_above & ~was_above, above / 2, above)
            below = torch.where(is_above & was_above, below / 2, below)
        low, above = torch.where(is_above, share, low), torch.where(is_above, found, above)
        high, below = torch.where(is_above, high, share), torch.where(is_above, below, found)
        was_above = is_above
    share = torch.where(all_the_way, torch.ones_like(share), share)
    return torch.where(at_start > 0, share, torch.zeros_like(share))

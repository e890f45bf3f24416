"""Denoises token sequences row by row of a scheduling matrix, and computes only the tokens that move.

With a causal denoiser this is exact: a finished token sits in the denoiser's state, and a token still at full noise
cannot change what is predicted for those before it. One that is not causal is shown every token at every row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from dfplan.diffusion import reverse_step
from dfplan.models.denoiser import DenoiserState
from dfplan.models.token_model import TokenModel
from dfplan.planner.guidance import Guidance, Prediction, predict_guided
from dfplan.tokens import NUM_PREFIX_TOKENS, TokenLayout, without


@dataclass(frozen=True)
class Sampling:
    """How to denoise.

    Attributes:
        matrix: ``[rows, tokens]`` scheduling matrix.
        num_levels: the integer level that is pure noise.
        eta: 0 deterministic … 1 ancestral.
        guidance: steering, or None.
        known_actions: ``[batch, tokens, num_action_slots]`` normalised actions that are given, NaN where they are not;
            or None. A token's actions that are all given are clean from the beginning (level 0); where only some are
            given, those replace what is predicted for them at every row, or are clean likewise (``parts_clean``).
        parts_clean: whether a token's actions are clean where only some are given: what the network must have seen.
        rho: integer level ``k`` is the real level ``(k / num_levels) ** rho``: 1 spaces them evenly,
            more puts them closer towards clean.
        absent: of actions, rewards and observations those that stay pure noise, and of which nothing is planned.
        num_before: tokens in the denoiser's state before the first of those sampled: goal, context and history.
    """

    matrix: Tensor
    num_levels: int
    eta: float = 0.0
    guidance: Guidance | None = None
    known_actions: Tensor | None = None
    rho: float = 1.0
    num_before: int = NUM_PREFIX_TOKENS
    absent: frozenset[str] = frozenset()
    parts_clean: bool = False

    @cached_property
    def rows(self) -> list[list[int]]:
        """The matrix in plain numbers."""
        return self.matrix.tolist()

    @cached_property
    def levels(self) -> Tensor:
        """Real levels ``[matrix rows, batch or 1, tokens, 2 or 3]`` (actions; the rest); one if all know alike."""
        levels = (self.matrix[:, None].float() / self.num_levels) ** self.rho
        both, absent = [levels, levels], self.absent
        if self.known_actions is not None:
            all_known = self.known_actions.isfinite().all(dim=-1)
            if bool((all_known == all_known[:1]).all()):
                all_known = all_known[:1]
            levels = levels.to(all_known.device)
            both, absent = list(torch.broadcast_tensors(levels.where(~all_known, 0), levels)), absent - {"actions"}
        found = torch.stack(both, dim=-1)
        return without(found.flatten(0, 1), absent).unflatten(0, found.shape[:2])

    def real_levels(self, row: int, rows: Tensor, window: slice) -> Tensor:
        """Real levels ``[len(rows) or 1, window, 2 or 3]`` (actions; the rest) at a row of the matrix."""
        levels = self.levels[row, :, window].to(rows.device)
        return levels if len(levels) == 1 else levels[rows]

    def slot_levels(self, levels: Tensor, layout: TokenLayout, rows: Tensor, window: slice) -> Tensor:
        """Levels of :meth:`real_levels`, of every slot ``[len(rows) or 1, window, token_dim]``."""
        slots = layout.per_slot(levels)
        if self.known_actions is None or not self.parts_clean:
            return slots
        slots = slots.expand(len(rows), -1, -1).clone()
        slots[..., : layout.num_action_slots][self.known_actions[rows, window].isfinite()] = 0.0
        return slots

    def with_known_actions(self, clean: Tensor, rows: Tensor, window: slice) -> Tensor:
        """Predicted clean tokens ``[len(rows), window, token_dim]``, the given actions in place of those predicted."""
        if self.known_actions is None:
            return clean
        known = self.known_actions[rows, window]
        actions, rest = clean.split([known.shape[-1], clean.shape[-1] - known.shape[-1]], dim=-1)
        return torch.cat([torch.where(known.isnan(), actions, known), rest], dim=-1)


@dataclass(frozen=True)
class Denoised:
    """Token sequences as far as they were denoised; all that it takes to go on.

    Attributes:
        tokens: ``[batch, tokens, token_dim]`` at the levels of ``row``.
        lengths: ``[batch]`` int64, leading tokens that are clean; for a sequence that left early, those it left with.
        state: what the denoiser remembers of goal, context and clean tokens, of the sequences that did not leave early.
        row: the row of the scheduling matrix that was reached.
        evaluations: ``[batch]`` int64, how often each sequence went through the network.
        token_evaluations: ``[batch]`` int64, how many of its tokens went through the network in all. Goal, context and
            cached tokens do not count, and neither does the way back that a gradient takes.
    """

    tokens: Tensor
    lengths: Tensor
    state: DenoiserState
    row: int
    evaluations: Tensor
    token_evaluations: Tensor


def sample_tokens(
    model: TokenModel,
    noisy: Tensor,
    *,
    state: DenoiserState,
    sampling: Sampling,
    first_row: int = 0,
    last_row: int | None = None,
    noise: Callable[[Tensor], Tensor] | None = None,
    on_row: Callable[[int, Tensor], None] | None = None,
    is_done: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Denoised:
    """Denoise a batch of token sequences, from one row of the scheduling matrix to another.

    To go on from a result, or to branch from it, call again with its tokens, state and row (``first_row``): parts give
    bit for bit what the whole gives.

    Args:
        model: predicts clean tokens.
        noisy: ``[batch, tokens, token_dim]`` at the levels of the first row.
        state: the denoiser's state after goal and context and, going on, some of the clean tokens.
        sampling: how to denoise.
        first_row: row of the matrix that the tokens are at.
        last_row: row of the matrix to stop at; None is the last one.
        noise: draws standard Gaussian values ``[len(rows), tokens, token_dim]`` for the given rows of the batch; needed
            when ``sampling.eta > 0`` and for Monte Carlo guidance.
        on_row: called with the row of the matrix just reached and a copy of all tokens.
        is_done: called with the finished leading tokens of the sequences still at work, and their rows in the batch,
            whenever there is one more; returns which of them ``[len(rows)]`` need no more tokens. They leave the batch;
            what comes after their finished tokens is not a plan.
    """
    work = _Work(model, noisy, state=state, sampling=sampling)
    rows = sampling.rows
    last_row = len(rows) - 1 if last_row is None else last_row
    for step in range(first_row, last_row):
        # Drawn though nothing may move: what noise a sequence gets must not depend on which others move.
        fresh = noise(work.rows) if noise is not None and sampling.eta > 0 else None
        if rows[step] == rows[step + 1]:
            continue
        work.advance(step, fresh=fresh, noise=noise)
        if on_row is not None:
            on_row(step + 1, work.tokens.clone())
        clean_before, num_clean = _num_leading_clean(rows[step]), _num_leading_clean(rows[step + 1])
        if is_done is not None and num_clean > clean_before:
            work.let_go(is_done(work.tokens[:, :num_clean], work.rows), num_clean=num_clean)
            if not len(work.rows):
                break
    return work.denoised(last_row)


class _Work:
    """The sequences that are being denoised, and what has become of those that left early."""

    def __init__(self, model: TokenModel, noisy: Tensor, *, state: DenoiserState, sampling: Sampling) -> None:
        self.model, self.denoiser, self.sampling = model, model.denoiser, sampling
        self.state, self.tokens = state, _with_clean_actions(noisy, sampling)
        self.rows = torch.arange(len(noisy), device=noisy.device)  # of the batch, still at work
        self.result, self.lengths = self.tokens.clone(), torch.full_like(self.rows, -1)
        self.evaluations, self.token_evaluations = torch.zeros_like(self.rows), torch.zeros_like(self.rows)

    def advance(self, step: int, *, fresh: Tensor | None, noise: Callable[[Tensor], Tensor] | None) -> None:
        """From a row of the matrix to the next; ``fresh`` is the noise that is added, ``noise`` draws for guidance."""
        rows, tokens = self.sampling.rows, self.tokens
        finished, clean_before = self.state.num_tokens - self.sampling.num_before, _num_leading_clean(rows[step])
        moving = [now != after for now, after in zip(rows[step], rows[step + 1], strict=True)]
        current = len(moving) - moving[::-1].index(True)
        ahead = _num_looked_ahead(self.sampling) if self.denoiser.causal else tokens.shape[1]
        window = slice(finished, min(current + ahead, tokens.shape[1]))
        now, after = (self.sampling.real_levels(each, self.rows, window) for each in (step, step + 1))
        predicted = self._predict(tokens[:, : window.stop], now, num_current=current - finished, noise=noise)
        self.evaluations[self.rows] += self.denoiser.passes * predicted.evaluations
        self.token_evaluations[self.rows] += self.denoiser.passes * predicted.token_evaluations
        tokens[:, window] = reverse_step(
            tokens[:, window],
            self.sampling.with_known_actions(predicted.clean, self.rows, window),
            level=self.sampling.slot_levels(now, self.model.layout, self.rows, window),
            next_level=self.sampling.slot_levels(after, self.model.layout, self.rows, window),
            schedule=self.model.parameterization.schedule,
            eta=self.sampling.eta,
            noise=None if fresh is None else fresh[:, window],
        )
        self.state = predicted.state.truncate(self.sampling.num_before + clean_before)

    def let_go(self, done: Tensor, *, num_clean: int) -> None:
        """Let sequences leave that need no more than their ``num_clean`` leading tokens."""
        self.result[self.rows[done]], self.lengths[self.rows[done]] = self.tokens[done], num_clean
        keep = (~done).nonzero()[:, 0]
        if len(keep) < len(self.rows):
            self.rows, self.tokens, self.state = self.rows[keep], self.tokens[keep], self.state.select(keep)

    def denoised(self, row: int) -> Denoised:
        """What has come of all of them at a row of the matrix."""
        self.result[self.rows] = self.tokens
        self.lengths[self.lengths < 0] = _num_leading_clean(self.sampling.rows[row])
        return Denoised(self.result, self.lengths, self.state, row, self.evaluations, self.token_evaluations)

    def _predict(
        self, tokens: Tensor, levels: Tensor, *, num_current: int, noise: Callable[[Tensor], Tensor] | None
    ) -> Prediction:
        """Clean tokens from the first that is not in the state on, guided where asked for."""
        num_finished, guidance = self.state.num_tokens - self.sampling.num_before, self.sampling.guidance
        if guidance is None:
            noisy = tokens[:, num_finished:]
            clean, grown = self.model.clean(noisy, levels, self.state)
            return Prediction(clean, grown, evaluations=1, token_evaluations=noisy.shape[1])
        return predict_guided(
            self.model,
            tokens,
            levels=levels,
            num_finished=num_finished,
            num_current=num_current,
            state=self.state,
            rows=self.rows,
            guidance=guidance,
            noise=noise,
        )


def _with_clean_actions(noisy: Tensor, sampling: Sampling) -> Tensor:
    """A copy of tokens, with the actions that are clean from the beginning."""
    tokens, known_actions = noisy.clone(), sampling.known_actions
    if known_actions is not None:
        slots, known = tokens[..., : known_actions.shape[-1]], known_actions.isfinite()
        clean = known if sampling.parts_clean else known.all(dim=-1, keepdim=True)
        slots.copy_(torch.where(clean, known_actions, slots))
    return tokens


def _num_leading_clean(row: Sequence[int]) -> int:
    """Tokens before the first noisy one."""
    return next((token for token, level in enumerate(row) if level), len(row))


def _num_looked_ahead(sampling: Sampling) -> int:
    """Tokens after those that move that have to be predicted, too."""
    if sampling.guidance is None:
        return 0
    ahead = sampling.guidance.lookahead
    return sampling.matrix.shape[1] if ahead is None else ahead

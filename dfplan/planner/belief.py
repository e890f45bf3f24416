"""What plans follow from: a prefix of the tokens that are denoised, and the denoiser's state after it.

::

    goal    context   token 0        token 1        …   token k
    wanted  o_0       a_0…  o_8      a_8…  o_16         pure noise → the plan
            level 0   0     0        0     1 (marked)   the scheduling matrix

The prefix goes through the network once, token by token as it happens; with a causal denoiser that is exactly what a
full pass over the whole sequence gives (arXiv 2407.01392, section 3.2: the latent of the history). Noise is a mask: a
goal that is not shown is pure noise, and what is known to be disturbed enters at the level of its noise.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dfplan.models.denoiser import DenoiserState
from dfplan.planner.goal_guidance import hide_goal
from dfplan.tokens import NUM_PREFIX_TOKENS


@dataclass(frozen=True)
class Belief:
    """What is known of a batch of environments.

    Attributes:
        observations: ``[batch, observation_dim]`` the last ones, in the units of the environment.
        goals: ``[batch, goal_dim]`` likewise; None where none is shown.
        tokens: ``[batch, 2 + history, token_dim]`` goal, context and what was done and seen since; normalised, and
            without the noise that the levels speak of.
        levels: ``[batch, 2 + history, 2]`` how noisy they are known to be (actions; the rest).
        state: the denoiser's after all of them; None where that are goal and context alone, a short pass.
    """

    observations: Tensor
    goals: Tensor | None
    tokens: Tensor
    levels: Tensor
    state: DenoiserState | None = None

    def __len__(self) -> int:
        return len(self.observations)

    @property
    def num_tokens(self) -> int:
        """Tokens of history: what was done and seen after the context."""
        return self.tokens.shape[1] - NUM_PREFIX_TOKENS

    def select(self, rows: Tensor) -> "Belief":
        """That of some of the environments; repeat a row to branch from it."""
        return replace(
            self,
            observations=self.observations[rows],
            goals=None if self.goals is None else self.goals[rows],
            tokens=self.tokens[rows],
            levels=self.levels[rows],
            state=None if self.state is None else self.state.select(rows),
        )

    def without_goal(self, rows: Tensor) -> "Belief":
        """The same, the goal hidden from the environments ``rows`` ``[batch]`` bool; where there is no state yet."""
        tokens, levels = hide_goal(self.tokens, self.levels)
        return replace(
            self,
            tokens=tokens.where(rows[:, None, None], self.tokens),
            levels=levels.where(rows[:, None, None], self.levels),
        )

    def repeat(self, count: int) -> "Belief":
        """Each environment ``count`` times over, side by side."""
        return self.select(torch.arange(len(self), device=self.observations.device).repeat_interleave(count))

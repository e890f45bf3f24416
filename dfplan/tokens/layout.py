"""Which slots of a token hold actions, reward and observations, and how steps are packed into tokens.

A sequence is ``[goal, context, token, token, …]``. The goal token holds the goal, the context token the
present observation; a token stands for ``steps_per_token`` steps::

    step        t          t+1   …   t+8       …   t+16
    context     o_t
    token 0         a_t     a_t+1  …  a_t+7    …  a_t+15      actions
                                      o_t+8        o_t+16     observations, one per point
                    share of o_t+1 … o_t+16 at the goal       reward
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from dfplan.errors import UserError

GOAL_TOKEN = 0
CONTEXT_TOKEN = 1
NUM_PREFIX_TOKENS = 2
MAY_BE_0 = ("action_dim", "goal_dim")


@dataclass(frozen=True)
class TokenLayout:
    """The shape of a token.

    Args:
        steps_per_token: environment steps that one token stands for.
        points_per_token: observations kept of those steps, evenly spaced, the last one included.
        action_dim: numbers in an action; 0 where there are none.
        observation_dim: numbers in an observation; the first ``goal_dim`` of them are what goals are about, such as
            a place.
        goal_dim: numbers in a goal; 0 where there are no goals.

    Raises:
        UserError: another size below 1, or points that do not divide the steps.
    """

    steps_per_token: int = 16
    points_per_token: int = 2
    action_dim: int = 2
    observation_dim: int = 4
    goal_dim: int = 2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 0 if name in MAY_BE_0 else 1
            if value < least:
                raise UserError(f"{name} must be at least {least}; got {value}")
        if self.steps_per_token % self.points_per_token:
            raise UserError(
                f"points_per_token must divide steps_per_token; got {self.points_per_token} and {self.steps_per_token}"
            )
        if self.goal_dim > self.observation_dim:
            raise UserError(f"goal_dim {self.goal_dim} exceeds observation_dim {self.observation_dim}")

    @property
    def steps_per_point(self) -> int:
        """Steps between two observations of a token."""
        return self.steps_per_token // self.points_per_token

    @property
    def num_action_slots(self) -> int:
        """Slots that hold actions; they come first."""
        return self.steps_per_token * self.action_dim

    @property
    def reward_slot(self) -> int:
        """Index of the reward."""
        return self.num_action_slots

    @property
    def observation_slots(self) -> slice:
        """Slots that hold observations; they come last."""
        return slice(self.num_action_slots + 1, self.token_dim)

    @property
    def token_dim(self) -> int:
        """Numbers in a token."""
        return self.num_action_slots + 1 + self.points_per_token * self.observation_dim

    @property
    def goal_slots(self) -> tuple[int, ...]:
        """Slots that hold a place, point by point."""
        first = self.observation_slots.start
        starts = range(first, self.token_dim, self.observation_dim)
        return tuple(start + axis for start in starts for axis in range(self.goal_dim))

    def per_slot(self, levels: Tensor) -> Tensor:
        """Spread levels ``[batch, tokens, 2 or 3]`` over slots ``[batch, tokens, token_dim]``.

        Two are those of actions and of all others; a third is that of the reward (:func:`without`).
        """
        actions, rest, reward = levels[..., :1], levels[..., 1:2], levels[..., -1:]
        shape, num_observed = levels.shape[:-1], self.token_dim - self.num_action_slots - 1
        parts = (actions, self.num_action_slots), (reward, 1), (rest, num_observed)
        return torch.cat([part.expand(*shape, count) for part, count in parts], dim=-1)

    def slots_of(self, absent: Collection[str]) -> Tensor:
        """Which slots hold these of the SLOTS, ``[token_dim]`` bool; a reward is absent with the observations."""
        found = torch.zeros(self.token_dim, dtype=torch.bool)
        found[: self.num_action_slots] = "actions" in absent
        found[self.reward_slot] = bool({"rewards", "observations"} & set(absent))
        found[self.observation_slots] = "observations" in absent
        return found

    def pack(self, actions: Tensor, rewards: Tensor, observations: Tensor) -> Tensor:
        """Pack steps into tokens.

        Args:
            actions: ``[batch, tokens * steps_per_token, action_dim]``.
            rewards: ``[batch, tokens]``.
            observations: ``[batch, tokens * points_per_token, observation_dim]``.

        Returns:
            ``[batch, tokens, token_dim]``.
        """
        batch, tokens = rewards.shape
        actions = actions.reshape(batch, tokens, self.num_action_slots)
        return torch.cat([actions, rewards[..., None], observations.reshape(batch, tokens, -1)], dim=-1)

    def unpack(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Undo :meth:`pack`: actions, rewards, observations."""
        batch, num_steps = tokens.shape[0], tokens.shape[1] * self.steps_per_token
        actions = tokens[..., : self.num_action_slots].reshape(batch, num_steps, self.action_dim)
        observations = tokens[..., self.observation_slots].reshape(batch, -1, self.observation_dim)
        return actions, tokens[..., self.reward_slot], observations

    def prefix(self, goals: Tensor, observations: Tensor, *, rewards: Tensor | float = 0.0) -> Tensor:
        """Goal and context tokens ``[batch, 2, token_dim]`` from goals ``[batch, goal_dim]`` and observations.

        Both sit in the slots of a token's last observation. ``rewards`` ``[batch]`` wanted, where any are, sit with the
        goal in the slot of a token's reward; the other slots are zero.
        """
        tokens = goals.new_zeros(len(goals), NUM_PREFIX_TOKENS, self.token_dim)
        last = self.token_dim - self.observation_dim
        tokens[:, GOAL_TOKEN, last : last + self.goal_dim] = goals
        tokens[:, CONTEXT_TOKEN, last:] = observations
        tokens[:, GOAL_TOKEN, self.reward_slot] = rewards
        return tokens

    def with_committed(self, tokens: Tensor, steps: Tensor) -> Tensor:
        """Prefix and more ``[batch, 2 + more, token_dim]``, the context telling of how many steps actions are known.

        ``steps`` ``[batch]``, in tokens, sit in the slot of its reward, which says nothing else.
        """
        tokens = tokens.clone()
        tokens[:, CONTEXT_TOKEN, self.reward_slot] = steps.to(tokens) / self.steps_per_token
        return tokens

    def committed_slots(self, steps: Tensor, *, num_tokens: int) -> Tensor:
        """Where the actions of the first ``steps`` ``[batch]`` are, ``[batch, tokens, num_action_slots]`` bool."""
        places = torch.arange(num_tokens * self.num_action_slots, device=steps.device)
        return (places < self.action_dim * steps[:, None]).view(len(steps), num_tokens, -1)


def without(levels: Tensor, absent: Collection[str], *, first: int = 0) -> Tensor:
    """Levels where some slots (:data:`~dfplan.settings.planning.SLOTS`) are absent: pure noise, which tells nothing.

    Args:
        levels: ``[batch, tokens, 2]`` of actions and of all others.
        absent: actions, rewards or observations; a reward is absent with the observations.
        first: token from which on they are.

    Returns:
        ``[batch, tokens, 2]``; with a third column, that of rewards, where these alone are absent: of this column a
        network is told nothing.
    """
    if not absent:
        return levels
    has_third = "rewards" in absent and "observations" not in absent
    found = torch.cat([levels, levels[..., 1:]], dim=-1) if has_third else levels.clone()
    for column, name in enumerate(("actions", "observations", "rewards")[: found.shape[-1]]):
        if name in absent:
            found[:, first:, column] = 1.0
    return found

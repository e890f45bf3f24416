"""The nodes of a plan tree: whole plans, each of which leaves its parent somewhere on the way.

::

    node      ●──●──●──●──●──●      tokens of a plan, all clean
    child     ╰─────●──○──○──○      the same plan taken back to the row of its scheduling matrix at which two tokens are
                                    clean: the others are noise again, fresh noise, and denoised anew

A state holds all that matters for what comes after it. So the network is shown the state where a child leaves as its
context, not the tokens before: every child begins at the first row of a window, and children of different nodes make
one batch. Where something is remembered from before the plan, the tokens kept are remembered as well. An environment's
network calls are its own: its tree is the same bit for bit, whatever is planned beside it.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dfplan.domain import Proposals, Score
from dfplan.errors import UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.planner.belief import Belief
from dfplan.planner.choice import judge, propose
from dfplan.planner.draft import Draft
from dfplan.planner.planner import Planner
from dfplan.planner.sampler import Denoised, sample_tokens
from dfplan.planner.search import ROOT
from dfplan.settings.planning import TreeSettings
from dfplan.types import Verdict


@dataclass(frozen=True)
class PlanNode:
    """A whole plan: it ends where it arrives, at the horizon, or where it can no longer be the best.

    Attributes:
        tokens: ``[tokens, token_dim]``, clean.
        num_kept: leading tokens that are its parent's.
        strength: of the guidance of the others.
        is_blind: whether the others were denoised without the goal.
        arrival: step at which it reaches the goal; one after its last step where it never does.
        cost: steps until it arrives, more the less it is believed; see :meth:`GrowingPlans.value`.
        leaves: how many of its tokens a child keeps, for every place where children can leave.
        gains: steps that a child can gain there at best, against the best plan when the node was made.
    """

    tokens: Tensor
    num_kept: int
    strength: float
    is_blind: bool = False
    arrival: int = 0
    cost: float = math.inf
    leaves: tuple[int, ...] = ()
    gains: tuple[float, ...] = ()


class GrowingPlans:
    """The plans in one environment's tree.

    Args:
        planner: how to denoise and guide, and what to doubt; also how many plans are denoised at first.
        tree: what nodes are.
        belief: of one environment, planned from.
        num_tokens: longest plan.
        generator: all noise comes from it, in the order of the nodes.
    """

    def __init__(
        self,
        planner: Planner,
        *,
        tree: TreeSettings,
        belief: Belief,
        num_tokens: int,
        generator: torch.Generator,
    ) -> None:
        self.planner, self.tree, self.belief = planner, tree, belief
        if belief.goals is None:
            raise UserError("a tree is searched for plans to a goal; give goals, or planner.search=candidates")
        self.start, self.goal, self.num_tokens, self.generator = (
            belief.observations,
            belief.goals,
            num_tokens,
            generator,
        )
        self.layout, self.settings = planner.model.layout, planner.settings
        self.nodes: list[PlanNode] = []
        self.token_evaluations, self.best_cost = 0, math.inf
        self._usual = (0.0, 1.0)  # mean and standard deviation of the costs of the first plans
        self._first: list[PlanNode] = []  # first plans that are no node yet
        self._places = np.zeros(
            (0, 1 + (self.goal.shape[1] or self.start.shape[1]))
        )  # tokens until a place, and that place

    @property
    def _passes_more(self) -> bool:
        """Whether plans go on where they arrive, because they may have to pass more places."""
        guidance = self.settings.guidance
        return bool(guidance.waypoints) and guidance.method == "chosen"

    @property
    def num_steps(self) -> int:
        """Steps of the longest plan."""
        return self.num_tokens * self.layout.steps_per_token

    @property
    def num_branches(self) -> int:
        """Children that a node can have at most."""
        places = self.num_tokens // self.tree.tokens_per_edge + 1
        return max(places * self.tree.num_siblings, self.settings.num_candidates)

    def plant(self) -> int:
        """Denoise the first plans side by side. The best is the root; all of them will be its first children.

        Returns:
            The network evaluations it took.
        """
        count = self.settings.num_candidates
        nothing = torch.zeros(0, self.layout.token_dim, device=self.goal.device)
        empty = [PlanNode(nothing, 0, self._strength(index), self._is_blind(index)) for index in range(count)]
        self._first, evaluations = self._finish(empty)
        costs = [node.cost for node in self._first]
        self._usual = float(np.mean(costs)), max(float(np.std(costs)), np.finfo(np.float32).tiny)
        self.nodes.append(min(self._first, key=lambda node: node.cost))
        return sum(evaluations)

    def expand(self, parents: Sequence[int], branches: Sequence[int]) -> list[int]:
        """Make nodes by their parents and branches; return the network evaluations each of them took."""
        made: dict[int, PlanNode] = {}
        wanted: dict[int, PlanNode] = {}
        for index, (parent, branch) in enumerate(zip(parents, branches, strict=True)):
            if parent == ROOT:
                made[index] = self._first.pop(0)
            else:
                kept = self.nodes[parent].leaves[branch // self.tree.num_siblings]
                tokens, sibling = self.nodes[parent].tokens[:kept], branch % self.tree.num_siblings
                wanted[index] = PlanNode(tokens, kept, self._strength(sibling), self._is_blind(sibling))
        finished, evaluations = self._finish(list(wanted.values()))
        made |= dict(zip(wanted, finished, strict=True))
        for index in range(len(parents)):
            self.nodes.append(self._with_leaves(made[index]))
        spent = dict(zip(wanted, evaluations, strict=True))
        return [spent.get(index, 0) for index in range(len(parents))]

    def prior(self, node: int) -> np.ndarray:
        """How promising the branches of a node are, ``[num_branches]``: what they can gain. All 0 if it is not left."""
        prior = np.zeros(self.num_branches)
        if node == ROOT:
            prior[: self.settings.num_candidates] = 1
        else:
            gains = np.repeat(self.nodes[node].gains, self.tree.num_siblings)
            prior[: len(gains)] = gains
        return prior / max(prior.sum(), 1e-9)

    def value(self, node: int) -> float:
        """What a node is worth: ``1 / (1 + cost / num_steps)``, 1/2 for a plan that arrives with the last step.

        A plan that does not arrive costs what the longest plan does, and the steps from its end to the goal in a
        straight line at full speed. Where costs are no steps, 1/2 is the mean of the first plans.
        """
        cost = self.nodes[node].cost
        if self.planner.scorer.counts_steps:
            return 1 / (1 + cost / self.num_steps)
        mean, std = self._usual
        return 0.5 + math.atan((mean - cost) / std) / math.pi

    def path(self, node: int) -> np.ndarray:
        """Places ``(points, dim)`` of a node from where it leaves its parent to where it arrives or ends."""
        plan, places = self.nodes[node], [self.start[:, : self.goal.shape[1]]]
        places.append(self._states(plan.tokens[None])[0, :, : self.goal.shape[1]])
        first = plan.num_kept * self.layout.points_per_token
        return torch.cat(places)[first : 1 - (-plan.arrival // self.layout.steps_per_point)].cpu().numpy()

    def _strength(self, sibling: int) -> float:
        return self.tree.strengths[sibling % len(self.tree.strengths)]

    def _is_blind(self, sibling: int) -> bool:
        return sibling % self.tree.num_siblings >= self.tree.num_siblings - self.tree.num_blind

    def _finish(self, begun: Sequence[PlanNode]) -> tuple[list[PlanNode], list[int]]:
        """Denoise plans from where they are to their ends, window by window, and judge them."""
        nodes, evaluations, going = list(begun), [0] * len(begun), list(range(len(begun)))
        # All windows are equally long, so that they make one batch; one that crosses the horizon ends there.
        window = max(self.planner.window_tokens - self.belief.num_tokens, 1)
        shape = (min(window, self.num_tokens), self.layout.token_dim)
        while going:
            noise = [self._noise(shape) for _ in going]
            # Way-points count the whole plan, and guidance sees plans of one length at a time; memory grows with plans.
            apart = self._passes_more or bool(self.belief.num_tokens)
            planned = [len(nodes[index].tokens) if apart else 0 for index in going]
            guided = [nodes[index].strength > 0 for index in going]
            for places in _groups(list(zip(guided, planned, strict=True))):
                group = [going[place] for place in places]
                windows = torch.stack([noise[place] for place in places]).to(self.goal.device)
                denoised = self._denoise([nodes[index] for index in group], windows)
                for row, index in enumerate(group):
                    tokens = torch.cat([nodes[index].tokens, denoised.tokens[row, : int(denoised.lengths[row])]])
                    nodes[index] = replace(nodes[index], tokens=tokens)
                    evaluations[index] += int(denoised.evaluations[row])
            # Judged after every window: what one plan costs may tell that others need not go on.
            over = [index for index in going if self._is_over(nodes[index])]
            for index, node in zip(over, self._judged([nodes[index] for index in over]), strict=True):
                nodes[index] = node
            going = [index for index in going if index not in over]
        return nodes, evaluations

    def _noise(self, shape: tuple[int, ...]) -> Tensor:
        return self.planner.settings.noise_scale * torch.randn(shape, generator=self.generator)

    def _denoise(self, before: Sequence[PlanNode], noise: Tensor) -> Denoised:
        """Denoise the next windows of plans, all guided or none; sequences that need no more tokens end early."""
        lasts = [self._states(node.tokens[None, -1:])[:, -1] if len(node.tokens) else self.start for node in before]
        contexts, goals = torch.cat(lasts), self.goal.expand(len(before), -1)
        num_before = torch.tensor([len(node.tokens) for node in before], device=goals.device)
        guidance = None
        if before[0].strength > 0:
            whole = torch.stack([node.tokens for node in before]) if self._passes_more else None
            starts = contexts if whole is None else self.start.expand(len(before), -1)
            guidance = self.planner.guidance(starts, goals, before=whole)
            assert guidance is not None
            guidance = replace(guidance, strength=torch.tensor([node.strength for node in before]).to(goals))

        def fresh(rows: Tensor) -> Tensor:
            return self._noise((len(rows), *noise.shape[1:])).to(goals.device)

        state = self._state(before, contexts, goals)
        denoised = sample_tokens(
            self.planner.token_model,
            noise,
            state=state,
            sampling=self.planner.sampling(noise.shape[1], num_before=state.num_tokens, guidance=guidance),
            noise=fresh,
            is_done=lambda tokens, rows: self._are_over(tokens[:, -1:], num_before[rows] + tokens.shape[1]),
        )
        self.token_evaluations += int(denoised.token_evaluations.sum())
        return denoised

    def _state(self, before: Sequence[PlanNode], contexts: Tensor, goals: Tensor) -> DenoiserState:
        """After the last states planned; or, where something is remembered, after that and all that was planned."""
        if not self.belief.num_tokens:
            belief = self.planner.belief_of(contexts, goals)
            blind = torch.tensor([node.is_blind for node in before], device=goals.device)
            return self.planner.state_of(belief.without_goal(blind) if self.tree.num_blind else belief)
        planned = torch.stack([node.tokens for node in before])
        return self.planner.state_after(self.belief.repeat(len(before)), planned)

    def draft(self, evaluations: int) -> Draft:
        """All plans as candidates for a part; the root is the best of the first plans, which are nodes themselves."""
        plans, score, _ = self._read(self.nodes[1:] or self.nodes)
        spent = np.array([evaluations, self.token_evaluations])
        return Draft(plans.states, plans.num_steps, score.arrival, score.value, spent, self.layout.steps_per_point)

    def verdict(self, node: PlanNode) -> Verdict | None:
        """How well a plan keeps the constraints, if there are any."""
        return self._read([node])[-1]

    def _read(self, nodes: Sequence[PlanNode]) -> tuple[Proposals, Score, Verdict | None]:
        """The plans of nodes, and what :func:`~dfplan.planner.choice.judge` says of them."""
        tokens = pad_sequence([node.tokens for node in nodes], batch_first=True)
        lengths = np.array([len(node.tokens) for node in nodes])
        proposals = propose(self.planner.model, tokens, self.start, self.goal, lengths=lengths)
        return proposals, *judge(self.planner, proposals)

    def _judged(self, nodes: Sequence[PlanNode]) -> list[PlanNode]:
        """Nodes with arrival and cost; remembers the smallest cost."""
        if not nodes:
            return []
        plans, score, _ = self._read(nodes)
        ends = plans.states[np.arange(len(nodes)), plans.num_steps // self.layout.steps_per_point - 1]
        cost = -score.value
        if self.planner.scorer.counts_steps:
            cost = cost + np.where(score.arrival > plans.num_steps, self.num_steps + self._steps_left(ends), 0)
        self.best_cost = min(self.best_cost, float(cost.min()))
        rows = zip(nodes, score.arrival.tolist(), cost.tolist(), strict=True)
        return [replace(node, arrival=step, cost=each) for node, step, each in rows]

    def _with_leaves(self, node: PlanNode) -> PlanNode:
        """The node with the places where children can leave: new to the tree, and on the way to a better plan."""
        states = self._states(node.tokens[None])[0].cpu().numpy()
        states = states[self.layout.points_per_token - 1 :: self.layout.points_per_token]
        ends = states[:, : self.goal.shape[1] or states.shape[1]]  # without goals, states are where children leave
        steps = np.arange(1, len(ends) + 1) * self.layout.steps_per_token
        gains = (steps < self.num_steps).astype(float)
        if self.planner.scorer.counts_steps:
            gains = min(self.best_cost, self.num_steps) - steps - self._steps_left(states)
        passable = self.planner.scorer.is_familiar(states) & (steps < node.arrival) & (gains > 0)
        leaves = []
        for kept in range(node.num_kept + self.tree.tokens_per_edge, len(ends) + 1, self.tree.tokens_per_edge):
            if not passable[kept - 1]:
                break
            near = np.linalg.norm(self._places[:, 1:] - ends[kept - 1], axis=1) < self.tree.minimum_distance
            if not (near & (self._places[:, 0] <= kept)).any():
                self._places = np.concatenate([self._places, [[kept, *ends[kept - 1]]]])
                leaves.append(kept)
        return replace(node, leaves=tuple(leaves), gains=tuple(gains[kept - 1] for kept in leaves))

    def _is_over(self, node: PlanNode) -> bool:
        """Tell whether a plan needs no more tokens."""
        num_tokens = torch.tensor([len(node.tokens)], device=node.tokens.device)
        return bool(self._are_over(node.tokens[None, -1:], num_tokens))

    def _are_over(self, last: Tensor, num_tokens: Tensor) -> Tensor:
        """Which plans arrive with their last token, are full, or cannot be the best any more, ``[batch]`` bool."""
        states = self._states(last).cpu().numpy()
        arrives = torch.from_numpy(self.planner.scorer.finished(states, self.goal.cpu().numpy()).any(axis=1))
        arrives = arrives.to(num_tokens.device)
        if self._passes_more:
            arrives[:] = False
        left = torch.from_numpy(self._steps_left(states[:, -1])).to(num_tokens.device)
        over = arrives | (num_tokens >= self.num_tokens)
        if not self.planner.scorer.counts_steps:
            return over
        return over | (num_tokens * self.layout.steps_per_token + left >= self.best_cost)

    def _steps_left(self, states: np.ndarray) -> np.ndarray:
        """Fewest steps from states ``(batch, observation_dim)`` to the goal."""
        return self.planner.scorer.lower_bound(states, self.goal.cpu().numpy())

    def _states(self, tokens: Tensor) -> Tensor:
        """Planned states ``[batch, points, observation_dim]`` in environment units."""
        return self.planner.model.normalizer.observations_back(self.layout.unpack(tokens)[2])


def _groups(keys: Sequence[Hashable]) -> list[list[int]]:
    """Indices of equal keys together, in the order of their first."""
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return list(groups.values())

"""The tree planner: Monte Carlo Tree Guidance, a search over plans that are taken back and denoised anew."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dfplan.errors import UserError, check_kind
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.belief import Belief
from dfplan.planner.draft import Draft
from dfplan.planner.planner import Planner
from dfplan.planner.search import Budget, Evaluation, Expansion, NewNodes, Rule, Tree, search
from dfplan.planner.settings import PlannerSettings
from dfplan.planner.tree_nodes import GrowingPlans, PlanNode, TreeSettings
from dfplan.types import Plan, Verdict


@dataclass(frozen=True)
class PlanTrees:
    """The trees of a batch of environments.

    Attributes:
        tree: their structure, visits and values.
        plans: per environment, the plans that are their nodes.
    """

    tree: Tree
    plans: list[GrowingPlans]


class TreePlanner(Planner):
    """Searches over plans (after Monte Carlo Tree Diffusion, arXiv 2502.07202).

    It begins with the candidates of :class:`Planner`; then it takes plans back to where it is worth it, and denoises
    them anew from there, as many side by side as there were candidates. It can be stopped at any time and answers with
    the best plan so far.

    Args:
        model: the trained model.
        settings: how to denoise and guide, and what to doubt. ``budget_ms`` bounds the search.
        tree: what nodes and branches are.
        rule: how branches are chosen.
        max_nodes: plans in a tree, the first ones included; None is no limit.
        max_evaluations: network evaluations of a tree; None is no limit.

    Raises:
        UserError: no limit at all, guided branches without anything to guide towards, or blind ones that remember.
    """

    def __init__(
        self,
        model: ForcingModel,
        *,
        settings: PlannerSettings,
        tree: TreeSettings | None = None,
        rule: Rule | None = None,
        max_nodes: int | None = None,
        max_evaluations: int | None = None,
    ) -> None:
        super().__init__(model, settings=settings)
        self.tree, self.rule = TreeSettings() if tree is None else tree, Rule() if rule is None else rule
        check_kind(TreeSettings, such_as="TreeSettings(), with what is to be otherwise, or None", tree=self.tree)
        check_kind(Rule, such_as="Rule(), with what is to be otherwise, or None", rule=self.rule)
        if max_nodes is None and max_evaluations is None and settings.budget_ms is None:
            raise UserError("a tree must end: give tree.max_nodes, tree.max_evaluations or budget_ms")
        self.budget = Budget(expansions=max_nodes, evaluations=max_evaluations, milliseconds=settings.budget_ms)
        if any(self.tree.strengths) and self.objective is None:
            raise UserError(
                f"strengths {list(self.tree.strengths)} guide towards nothing; give an objective such as "
                "planner.guidance.distance=1, or strengths of 0"
            )
        if self.tree.num_blind and self.remembers:
            raise UserError(
                f"num_blind={self.tree.num_blind}: what is remembered was seen with the goal, and no plan that follows "
                f"from it can be blind to it; give history=0, not {settings.history}"
            )

    @property
    def looks_ahead(self) -> bool:
        """See :attr:`Planner.looks_ahead`: it searches."""
        return True

    @property
    def supports_rtc(self) -> bool:
        """See :attr:`Planner.supports_rtc`."""
        return False

    @torch.no_grad()
    def plan_from(
        self,
        belief: Belief,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
        passed: np.ndarray | None = None,
        record_history: bool = False,
    ) -> Plan:
        """Plan for a batch of environments; see :meth:`Planner.plan_from`. With constraints every part has a tree.

        Raises:
            UserError: also if actions are committed, or a history is asked for; :meth:`grow` gives the whole tree.
        """
        if any(len(actions) for actions in committed or ()):
            raise UserError("the plans of a tree cannot begin with committed actions; use planner.search=candidates")
        if record_history:
            raise UserError("a tree keeps no partly denoised states; look at the plans that TreePlanner.grow returns")
        if self.plans_parts:
            return super().plan_from(belief, horizon=horizon, generators=generators, passed=passed)
        return self.answer(self.grow(belief, horizon=horizon, generators=generators))

    def draft(
        self,
        states: np.ndarray,
        ends: np.ndarray,
        *,
        num_tokens: int,
        generators: Sequence[torch.Generator],
        **_: object,
    ) -> tuple[list[Draft], list[Tensor]]:
        """All plans of a tree for every part; see :meth:`Planner.draft`."""
        horizon = num_tokens * self.model.layout.steps_per_token
        trees = self.grow(self.believe(states, ends), horizon=horizon, generators=generators)
        return [plans.draft(int(trees.tree.evaluations[row])) for row, plans in enumerate(trees.plans)], []

    @torch.no_grad()
    def grow(self, belief: Belief, *, horizon: int, generators: Sequence[torch.Generator]) -> PlanTrees:
        """Search for a batch of environments; the arguments are those of :meth:`plan_from`."""
        self._check_asked(belief, horizon=horizon, generators=generators)
        num_tokens = math.ceil(horizon / self.model.layout.steps_per_token)
        growing = [
            GrowingPlans(
                self,
                tree=self.tree,
                belief=belief.select(torch.tensor([index])),
                num_tokens=num_tokens,
                generator=generator,
            )
            for index, generator in enumerate(generators)
        ]

        def plant() -> Expansion:
            return _expansion([(plans, 0) for plans in growing], [plans.plant() for plans in growing])

        def expand(new: NewNodes) -> Expansion:
            spent: list[int] = []
            for index in np.unique(new.environment).tolist():
                rows = new.environment == index
                spent += growing[index].expand(new.parent[rows].tolist(), new.branch[rows].tolist())
            return _expansion(_pairs(growing, new), spent)

        def evaluate(new: NewNodes) -> Evaluation:
            return Evaluation(np.array([plans.value(node) for plans, node in _pairs(growing, new)]))

        tree = search(
            plant,
            expand=expand,
            evaluate=evaluate,
            budget=self.budget,
            rule=self.rule,
            leaves=self.settings.num_candidates,
        )
        return PlanTrees(tree, growing)

    def answer(self, trees: PlanTrees) -> Plan:
        """The best plan of every tree."""
        layout, normalizer = self.model.layout, self.model.normalizer
        nodes = trees.tree.best().tolist()
        best = [plans.nodes[node] for plans, node in zip(trees.plans, nodes, strict=True)]
        actions, rewards, states = layout.unpack(pad_sequence([node.tokens for node in best], batch_first=True))
        return Plan(
            observations=normalizer.observations_back(states).cpu().numpy(),
            actions=self.model.clipped(normalizer.actions_back(actions)).cpu().numpy(),
            rewards=normalizer.rewards_back(rewards).cpu().numpy(),
            arrival=np.array([node.arrival for node in best]),
            num_steps=np.array([len(node.tokens) for node in best]) * layout.steps_per_token,
            value=np.array([plans.value(node) for plans, node in zip(trees.plans, nodes, strict=True)]),
            steps_per_point=layout.steps_per_point,
            evaluations=trees.tree.evaluations,
            token_evaluations=np.array([plans.token_evaluations for plans in trees.plans]),
            verdict=self._verdict(best, trees) if self.constraints else None,
        )

    def _verdict(self, nodes: Sequence[PlanNode], trees: PlanTrees) -> Verdict:
        """How well the best plans keep the constraints."""
        found = [plans.verdict(node) for plans, node in zip(trees.plans, nodes, strict=True)]
        return Verdict.stack([each for each in found if each is not None])


def _pairs(growing: Sequence[GrowingPlans], new: NewNodes) -> list[tuple[GrowingPlans, int]]:
    """New nodes, each with the plans of its tree."""
    return [(growing[index], node) for index, node in zip(new.environment.tolist(), new.node.tolist(), strict=True)]


def _expansion(made: Sequence[tuple[GrowingPlans, int]], evaluations: Sequence[int]) -> Expansion:
    prior = np.stack([plans.prior(node) for plans, node in made])
    return Expansion(prior, is_terminal=prior.sum(axis=1) == 0, evaluations=np.array(evaluations))

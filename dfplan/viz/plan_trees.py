"""Plans of a tree as they are drawn: where each leaves the one above it, where it goes, and what it is worth."""

from dataclasses import dataclass

import numpy as np

from dfplan.planner import PlanTrees


@dataclass(frozen=True)
class DrawnPlan:
    """One plan of a tree, as it is drawn.

    Attributes:
        path: ``(points, n)`` places, or states where there are no goals, from where it leaves its parent to its end.
        parent: number of its parent in the list of plans; -1 for a first plan.
        first_step: step at which it leaves its parent.
        last_step: step at which it ends.
        arrives: whether it ends at the goal.
        value: what it is worth by itself.
        visits: plans tried at and below it.
    """

    path: np.ndarray
    parent: int
    first_step: int
    last_step: int
    arrives: bool
    value: float
    visits: int


def drawn_plans(trees: PlanTrees) -> list[DrawnPlan]:
    """The plans of the first tree, as they are drawn."""
    tree, plans = trees.tree, trees.plans[0]
    # The root is the best of the first plans once more: where they are nodes themselves, it is left out.
    numbers = range(1, len(plans.nodes)) or range(1)
    return [
        DrawnPlan(
            path=plans.path(node),
            parent=max(int(tree.parent[0, node]) - 1, -1),
            first_step=plans.nodes[node].num_kept * plans.layout.steps_per_token,
            last_step=min(plans.nodes[node].arrival, len(plans.nodes[node].tokens) * plans.layout.steps_per_token),
            arrives=plans.nodes[node].arrival <= len(plans.nodes[node].tokens) * plans.layout.steps_per_token,
            value=plans.value(node),
            visits=int(tree.visits[0, node]),
        )
        for node in numbers
    ]

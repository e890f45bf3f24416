"""Batched tree search over arrays ``[batch, node]``: which node to grow next, and what was found. Knows no network.

Every iteration each environment walks down its tree, makes new nodes, has them valued and hands the values up. What a
node *is* stays with the caller, who keeps it under (environment, node); environments never touch each other.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from dfplan.arrays import as_number
from dfplan.errors import UserError
from dfplan.settings.planning import Rule

ROOT = 0
NONE = -1  # parent and branch of the root; a child that does not exist yet


@dataclass(frozen=True)
class NewNodes:
    """Nodes to be made, one a row, the rows of an environment together and in the order of their making.

    Attributes:
        environment: ``[rows]`` whose tree it grows in.
        node: ``[rows]`` its number in that tree.
        parent: ``[rows]`` number of its parent; ``NONE`` for a root.
        branch: ``[rows]`` which branch of the parent; ``NONE`` for a root.
        depth: ``[rows]`` edges from the root.
    """

    environment: np.ndarray
    node: np.ndarray
    parent: np.ndarray
    branch: np.ndarray
    depth: np.ndarray

    def __len__(self) -> int:
        return len(self.node)


@dataclass(frozen=True)
class Expansion:
    """What making nodes gave, row by row.

    Attributes:
        prior: ``[rows, branches]`` how promising each of a node's branches looks before it is tried; rows sum to 1, and
            a branch of 0 is none.
        is_terminal: ``[rows]`` bool, True where a node is finished and has no branches.
        evaluations: ``[rows]`` or one number: network evaluations spent.
    """

    prior: np.ndarray
    is_terminal: np.ndarray
    evaluations: np.ndarray | int = 0


@dataclass(frozen=True)
class Evaluation:
    """What simulating nodes to their end gave, row by row.

    Attributes:
        value: ``[rows]`` in [0, 1], larger is better.
        evaluations: ``[rows]`` or one number: network evaluations spent.
    """

    value: np.ndarray
    evaluations: np.ndarray | int = 0


@dataclass(frozen=True)
class Budget:
    """When to stop; whichever comes first. The first two count for each environment by itself.

    Attributes:
        expansions: nodes made, the root not counted.
        evaluations: network evaluations spent; an iteration that has begun is finished.
        milliseconds: wall time of the whole batch; no iteration begins that would end late if it took as long as the
            longest so far.
    """

    expansions: int | None = None
    evaluations: int | None = None
    milliseconds: float | None = None

    def __post_init__(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) is not None}
        if not given:
            raise UserError("a search needs a budget: of expansions, evaluations or milliseconds; got none")
        for name, value in given.items():
            if not as_number(value) >= 0:
                raise UserError(f"the budget of {name} must be 0 or more; got {value!r:.60}")


@dataclass(frozen=True)
class Tree:
    """Search trees of a batch of environments; entries beyond ``num_nodes`` mean nothing.

    Attributes:
        num_nodes: ``[batch]``.
        evaluations: ``[batch]`` network evaluations spent.
        value: ``[batch, nodes]`` what a node's own simulation was worth; -inf before it.
        value_max: ``[batch, nodes]`` the largest of all values at and below the node: what it is worth.
        visits: ``[batch, nodes]`` how many values that is.
        depth, parent, branch: ``[batch, nodes]`` edges from the root; where the node hangs.
        is_open: ``[batch, nodes]`` False where there is nothing left to make at or below the node.
        prior: ``[batch, nodes, branches]``.
        children: ``[batch, nodes, branches]`` their numbers; ``NONE`` where untried.
    """

    num_nodes: np.ndarray
    evaluations: np.ndarray
    value: np.ndarray
    value_max: np.ndarray
    visits: np.ndarray
    depth: np.ndarray
    parent: np.ndarray
    branch: np.ndarray
    is_open: np.ndarray
    prior: np.ndarray
    children: np.ndarray

    def best(self) -> np.ndarray:
        """The node with the best simulation of each environment ``[batch]``; among equals the first that was made."""
        return self.value.argmax(axis=1)

    def path(self, environment: int, node: int) -> list[int]:
        """Nodes from the root to ``node``, both included."""
        nodes = [int(node)]
        while nodes[-1] != ROOT:
            nodes.append(int(self.parent[environment, nodes[-1]]))
        return nodes[::-1]


def search(
    root: Callable[[], Expansion],
    *,
    expand: Callable[[NewNodes], Expansion],
    evaluate: Callable[[NewNodes], Evaluation],
    budget: Budget,
    rule: Rule | None = None,
    leaves: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Tree:
    """Grow one tree per environment.

    The root is valued first, whatever the budget, so that there always is an answer.

    Args:
        root: makes the roots, one row per environment.
        expand: makes new nodes.
        evaluate: values nodes that were just made, by simulating them to their end.
        budget: when to stop.
        rule: how branches are chosen.
        leaves: nodes that each environment makes in one iteration. On the way to each, visits are counted at once and
            values later (virtual loss, as in AlphaGo), so that they spread.
        clock: seconds; for a budget of milliseconds.
    """
    if leaves < 1:
        raise UserError(f"leaves must be at least 1; got {leaves}")
    rule, began = rule or Rule(), clock()
    tree = _plant(root())
    _hand_up(tree, _roots(tree), evaluate(_roots(tree)))
    longest = clock() - began
    while True:
        started = clock()
        if budget.milliseconds is not None and 1000 * (started - began + longest) > budget.milliseconds:
            return _trimmed(tree)
        tree = _with_room(tree, leaves)
        new = _choose_leaves(tree, leaves=leaves, rule=rule, budget=budget)
        if not len(new):
            return _trimmed(tree)
        _enter(tree, new, expand(new))
        _hand_up(tree, new, evaluate(new))
        longest = max(longest, clock() - started)


def _plant(root: Expansion) -> Tree:
    """Trees of one node each, visited and not valued yet."""
    batch, branches = root.prior.shape
    return Tree(
        num_nodes=np.ones(batch, np.int64),
        evaluations=np.zeros(batch, np.int64) + root.evaluations,
        value=np.full((batch, 1), -np.inf),
        value_max=np.full((batch, 1), -np.inf),
        visits=np.ones((batch, 1), np.int64),
        depth=np.zeros((batch, 1), np.int64),
        parent=np.full((batch, 1), NONE),
        branch=np.full((batch, 1), NONE),
        is_open=~root.is_terminal[:, None],
        prior=root.prior[:, None].astype(np.float64),
        children=np.full((batch, 1, branches), NONE),
    )


def _roots(tree: Tree) -> NewNodes:
    batch = len(tree.num_nodes)
    zero, none = np.zeros(batch, np.int64), np.full(batch, NONE)
    return NewNodes(environment=np.arange(batch), node=zero, parent=none, branch=none, depth=zero)


def _with_room(tree: Tree, leaves: int) -> Tree:
    """The tree with room for ``leaves`` more nodes in every environment."""
    capacity = tree.value.shape[1]
    if int(tree.num_nodes.max(initial=0)) + leaves <= capacity:
        return tree
    empty = {"value": -np.inf, "value_max": -np.inf, "parent": NONE, "branch": NONE, "children": NONE}
    longer = {}
    for name, array in _node_arrays(tree):
        room = [(0, 0), (0, capacity + leaves), *[(0, 0)] * (array.ndim - 2)]
        longer[name] = np.pad(array, room, constant_values=empty.get(name, 0))
    return replace(tree, **longer)


def _trimmed(tree: Tree) -> Tree:
    longest = int(tree.num_nodes.max(initial=1))
    return replace(tree, **{name: array[:, :longest] for name, array in _node_arrays(tree)})


def _node_arrays(tree: Tree) -> list[tuple[str, np.ndarray]]:
    arrays = [(each.name, getattr(tree, each.name)) for each in fields(tree)]
    return [(name, array) for name, array in arrays if array.ndim > 1]


def _choose_leaves(tree: Tree, *, leaves: int, rule: Rule, budget: Budget) -> NewNodes:
    """Choose and number up to ``leaves`` new nodes per environment; visits on the way to them are counted here."""
    found: list[np.ndarray] = []
    for _ in range(leaves):
        wanted = tree.is_open[:, ROOT].copy()
        if budget.expansions is not None:
            wanted &= tree.num_nodes - 1 < budget.expansions
        if budget.evaluations is not None:
            wanted &= tree.evaluations < budget.evaluations
        environment = np.flatnonzero(wanted)
        parent, branch = _walk_down(tree, environment, rule=rule)
        node = tree.num_nodes[environment].copy()
        tree.num_nodes[environment] += 1
        tree.children[environment, parent, branch] = node
        tree.parent[environment, node], tree.branch[environment, node] = parent, branch
        tree.depth[environment, node] = tree.depth[environment, parent] + 1
        _walk_up(tree, environment, node, is_visit=True)
        found.append(np.stack([environment, node, parent, branch, tree.depth[environment, node]]))
    rows = np.concatenate(found, axis=1)
    rows = rows[:, np.argsort(rows[0], kind="stable")]
    return NewNodes(environment=rows[0], node=rows[1], parent=rows[2], branch=rows[3], depth=rows[4])


def _walk_down(tree: Tree, environment: np.ndarray, *, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """The node under which each of the given environments grows next, and by which of its untried branches."""
    node, branch = np.zeros(len(environment), np.int64), np.full(len(environment), NONE)
    walking = np.arange(len(environment))
    while len(walking):
        choice = _scores(tree, environment[walking], node[walking], rule=rule).argmax(axis=1)
        child = tree.children[environment[walking], node[walking], choice]
        branch[walking[child == NONE]] = choice[child == NONE]
        walking, child = walking[child != NONE], child[child != NONE]
        node[walking] = child
    return node, branch


def _scores(tree: Tree, environment: np.ndarray, node: np.ndarray, *, rule: Rule) -> np.ndarray:
    """Score of every branch of the given nodes ``[rows, branches]``; -inf where it cannot be taken."""
    children, visits = tree.children[environment, node], tree.visits[environment, node][:, None]
    tried, rows = children != NONE, environment[:, None]
    child_visits = np.where(tried, tree.visits[rows, children], 0)
    worth = tree.value_max[rows, children]
    if rule.selection == "puct":
        worth = np.where(tried, worth, tree.value[environment, node][:, None])
        bonus = tree.prior[environment, node] * np.sqrt(visits) / (1 + child_visits)
    else:
        worth = np.where(tried, worth, np.inf)
        bonus = np.sqrt(np.log(visits) / np.maximum(child_visits, 1))
    can_go_down = tried & tree.is_open[rows, children]
    can_widen = ~tried & (tree.prior[environment, node] > 0)
    if rule.widening is not None:
        is_due = tried.sum(axis=1, keepdims=True) < np.ceil(visits**rule.widening)
        can_widen &= is_due | ~can_go_down.any(axis=1, keepdims=True)
    return np.where(can_go_down | can_widen, worth + rule.exploration * bonus, -np.inf)


def _walk_up(tree: Tree, environment: np.ndarray, node: np.ndarray, *, is_visit: bool) -> None:
    """From the given nodes up to the roots: count a visit, and whether something is left to make.

    A node with children is open if it has an untried branch or an open child; one without stays as it is.
    """
    while len(node):
        tree.visits[environment, node] += is_visit
        children = tree.children[environment, node]
        untried = (children == NONE) & (tree.prior[environment, node] > 0)
        open_below = (untried | tree.is_open[environment[:, None], children]).any(axis=1)
        has_children = (children != NONE).any(axis=1)
        tree.is_open[environment, node] = np.where(has_children, open_below, tree.is_open[environment, node])
        parent = tree.parent[environment, node]
        environment, node = environment[parent != NONE], parent[parent != NONE]


def _enter(tree: Tree, new: NewNodes, expansion: Expansion) -> None:
    """Write down what making new nodes gave; until then they were closed, and their parents perhaps too."""
    tree.prior[new.environment, new.node] = expansion.prior
    tree.is_open[new.environment, new.node] = ~expansion.is_terminal
    np.add.at(tree.evaluations, new.environment, expansion.evaluations)
    _walk_up(tree, new.environment, new.node, is_visit=False)


def _hand_up(tree: Tree, new: NewNodes, evaluation: Evaluation) -> None:
    """Add the values of new nodes to all nodes above them, whose visits were counted on the way down."""
    tree.value[new.environment, new.node] = evaluation.value
    np.add.at(tree.evaluations, new.environment, evaluation.evaluations)
    environment, node, value = new.environment, new.node, np.asarray(evaluation.value, dtype=np.float64)
    while len(node):
        np.maximum.at(tree.value_max, (environment, node), value)
        parent = tree.parent[environment, node]
        above = parent != NONE
        environment, node, value = environment[above], parent[above], value[above]

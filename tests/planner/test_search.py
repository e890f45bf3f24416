"""The search on hand-made trees, whose visits, values and paths can be counted with a pencil."""

from fractions import Fraction

import numpy as np
import pytest

from dfplan.errors import UserError
from dfplan.planner.search import NONE, ROOT, Budget, Evaluation, Expansion, Rule, search


class HandMadeTrees:
    """Trees given by the values of their nodes, one dictionary an environment, keyed by the branches from the root.

    Args:
        values: of the nodes; 0 where none is given.
        prior: of every node's branches.
        depth: of the finished nodes.
    """

    def __init__(self, *values, prior=(0.5, 0.5), depth=2, expansion_cost=0, evaluation_cost=0):
        self.values, self.prior, self.depth = values, np.array(prior), depth
        self.costs = expansion_cost, evaluation_cost
        self.paths = {(environment, ROOT): () for environment in range(len(values))}
        self.made = []  # rows of every call

    @property
    def root(self):
        return self._expansion(len(self.values), is_terminal=np.full(len(self.values), self.depth == 0))

    def expand(self, new):
        for row in range(len(new)):
            environment, branch = int(new.environment[row]), int(new.branch[row])
            path = (*self.paths[environment, int(new.parent[row])], branch)
            assert len(path) == new.depth[row]
            assert (environment, int(new.node[row])) not in self.paths
            self.paths[environment, int(new.node[row])] = path
        self.made.append([self.paths[key] for key in zip(new.environment.tolist(), new.node.tolist(), strict=True)])
        return self._expansion(len(new), is_terminal=new.depth == self.depth)

    def evaluate(self, new):
        keys = zip(new.environment.tolist(), new.node.tolist(), strict=True)
        values = [float(self.values[key[0]].get(self.paths[key], 0)) for key in keys]
        return Evaluation(np.array(values), evaluations=self.costs[1])

    def _expansion(self, count, *, is_terminal):
        return Expansion(np.tile(self.prior, (count, 1)), is_terminal, evaluations=self.costs[0])

    def search(self, budget, **options):
        if isinstance(budget, int):
            budget = Budget(expansions=budget)
        return search(lambda: self.root, expand=self.expand, evaluate=self.evaluate, budget=budget, **options)

    def order(self, tree, environment=0):
        """Paths of the nodes in the order of their making."""
        return [self.paths[environment, node] for node in range(1, int(tree.num_nodes[environment]))]


GREEDY = {"selection": "uct", "exploration": 0.0}
HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)
# The second branch looks better and its first child disappoints.
DISAPPOINTING = {(): HALF, (0,): HALF, (1,): 3 * QUARTER, (1, 0): 0, (1, 1): QUARTER, (0, 0): 1, (0, 1): QUARTER}


def test_a_branch_is_worth_the_best_seen_below_it():
    trees = HandMadeTrees(DISAPPOINTING)
    tree = trees.search(4, rule=Rule(**GREEDY))
    # 3/4 > 1/2, and stays so though the first child disappoints.
    assert trees.order(tree) == [(0,), (1,), (1, 0), (1, 1)]
    assert tree.parent.tolist() == [[NONE, 0, 0, 2, 2]]
    assert tree.branch.tolist() == [[NONE, 0, 1, 0, 1]]
    assert tree.depth.tolist() == [[0, 1, 1, 2, 2]]
    assert tree.visits.tolist() == [[5, 1, 3, 1, 1]]
    assert tree.value.tolist() == [[0.5, 0.5, 0.75, 0, 0.25]]
    assert tree.value_max.tolist() == [[0.75, 0.5, 0.75, 0, 0.25]]
    assert tree.children.tolist() == [[[1, 2], [NONE, NONE], [3, 4], [NONE, NONE], [NONE, NONE]]]
    assert tree.is_open.tolist() == [[True, True, False, False, False]]
    assert tree.best().tolist() == [2]
    assert tree.path(0, 4) == [0, 2, 4]


def test_what_is_finished_below_is_not_visited_again():
    trees = HandMadeTrees(DISAPPOINTING)
    tree = trees.search(100, rule=Rule(**GREEDY))
    assert trees.order(tree) == [(0,), (1,), (1, 0), (1, 1), (0, 0), (0, 1)]
    assert not tree.is_open.any()
    assert tree.visits.tolist() == [[7, 3, 3, 1, 1, 1, 1]]


def test_puct_weighs_prior_against_visits_and_ties_go_to_the_first_branch():
    trees = HandMadeTrees({(1,): Fraction(1, 8)}, prior=(0.25, 0.75), depth=9)
    tree = trees.search(4)
    # Root after n visits, branch 0 untried: 0 + √n/4 against 1/8 + 3/4·√n / (1 + visits of branch 1):
    # n=2: 0.354 < 0.655; n=3: 0.433 < 0.558; n=4: 1/2 = 1/8 + 3/8.
    assert [path[0] for path in trees.order(tree)] == [1, 1, 1, 0]


def test_puct_takes_an_untried_branch_for_as_good_as_its_node():
    # Node (0,): worth 3/4, its tried child 1/2; the untried one is taken, though nothing else speaks for it.
    trees = HandMadeTrees({(0,): 3 * QUARTER, (0, 0): HALF}, depth=9)
    tree = trees.search(3, rule=Rule(exploration=0.0))
    assert trees.order(tree) == [(0,), (0, 0), (0, 1)]


def test_uct_explores_what_was_visited_little():
    values = {(0,): HALF, (1,): HALF + Fraction(1, 8)}
    greedy, curious = HandMadeTrees(values, depth=9), HandMadeTrees(values, depth=9)
    greedy_tree = greedy.search(6, rule=Rule(selection="uct", exploration=0.0))
    curious_tree = curious.search(6, rule=Rule(selection="uct", exploration=10.0))
    assert greedy_tree.visits[0, 1:3].tolist() == [1, 5]
    assert curious_tree.visits[0, 1:3].tolist() == [3, 3]


def test_progressive_widening_offers_branches_as_visits_grow():
    trees = HandMadeTrees({}, prior=np.full(5, 0.2), depth=9)
    tree = trees.search(9, rule=Rule(selection="uct", widening=0.5))
    # ceil(√visits) of the root, visits 1, 2, … 9: 1 2 2 2 3 3 3 3 3 children.
    tops = [path for path in trees.order(tree) if len(path) == 1]
    assert [trees.order(tree).index(path) for path in tops] == [0, 1, 4]


def test_without_widening_by_visits_a_finished_branch_still_gives_way_to_the_next():
    trees = HandMadeTrees({})
    tree = trees.search(6, rule=Rule(selection="uct", widening=0.0))
    assert trees.order(tree) == [(0,), (0, 0), (0, 1), (1,), (1, 0), (1, 1)]
    assert not tree.is_open.any()


def test_a_branch_of_prior_zero_is_none():
    for selection in ("puct", "uct"):
        trees = HandMadeTrees({}, prior=(0.5, 0.0, 0.5))
        tree = trees.search(100, rule=Rule(selection=selection))
        assert sorted(trees.order(tree)) == [(0,), (0, 0), (0, 2), (2,), (2, 0), (2, 2)]
        assert not tree.is_open.any()


def test_several_leaves_an_iteration_make_all_siblings_first():
    trees = HandMadeTrees({}, prior=np.full(4, 0.25))
    trees.search(6, rule=Rule(selection="uct"), leaves=4)
    assert trees.made == [[(0,), (1,), (2,), (3,)], [(0, 0), (1, 0)]]


def test_more_leaves_than_the_tree_has_are_left_out():
    trees = HandMadeTrees({}, depth=1)
    tree = trees.search(100, leaves=8)
    assert trees.made == [[(0,), (1,)]]
    assert tree.num_nodes.tolist() == [3]


@pytest.mark.parametrize("leaves", [1, 3])
@pytest.mark.parametrize("selection", ["puct", "uct"])
@pytest.mark.parametrize("widening", [None, 0.4])
def test_statistics_are_those_of_the_nodes_below(leaves, selection, widening):
    generator = np.random.default_rng(0)
    paths = [(i, j, k)[:depth] for i in range(3) for j in range(3) for k in range(3) for depth in range(4)]
    values = {path: int(generator.integers(0, 65)) / 64 for path in paths}  # exact in binary
    trees = HandMadeTrees(values, prior=np.full(3, 1 / 3), depth=3)
    tree = trees.search(25, rule=Rule(selection=selection, widening=widening), leaves=leaves)
    assert tree.num_nodes.tolist() == [26]
    for node in range(26):
        path = trees.paths[0, node]
        below = [values[other] for other in [*trees.order(tree), ()] if other[: len(path)] == path]
        assert tree.visits[0, node] == len(below)
        assert tree.value_max[0, node] == max(below)
        assert [trees.paths[0, each] for each in tree.path(0, node)] == [path[:depth] for depth in range(len(path) + 1)]


@pytest.mark.parametrize("leaves", [1, 2])
def test_no_environment_touches_another(leaves):
    several = (DISAPPOINTING, {(0,): 1, (0, 1): HALF}, {(): 1, (1, 1): QUARTER})
    together = HandMadeTrees(*several)
    tree = together.search(5, leaves=leaves)
    for environment, values in enumerate(several):
        alone = HandMadeTrees(values)
        expected = alone.search(5, leaves=leaves)
        assert together.order(tree, environment) == alone.order(expected)
        for name in ("num_nodes", "visits", "value", "value_max", "children", "is_open"):
            assert getattr(tree, name)[environment].tolist() == getattr(expected, name)[0].tolist(), name


def test_environments_that_are_finished_wait_for_the_others():
    trees = HandMadeTrees({}, {})
    root = trees.root
    root.is_terminal[0] = True
    tree = search(lambda: root, expand=trees.expand, evaluate=trees.evaluate, budget=Budget(expansions=3))
    assert tree.num_nodes.tolist() == [1, 4]
    assert tree.best().tolist() == [0, 0]


def test_without_a_budget_the_root_is_the_answer():
    for budget in (Budget(expansions=0), Budget(evaluations=0)):
        trees = HandMadeTrees({(): QUARTER, (0,): 1})
        tree = trees.search(budget)
        assert tree.num_nodes.tolist() == [1]
        assert tree.visits.tolist() == [[1]]
        assert tree.value.tolist() == [[0.25]]
        assert tree.best().tolist() == [ROOT]


def test_the_best_simulation_answers_and_among_equals_the_first():
    trees = HandMadeTrees({(0, 1): 1, (1, 0): 1, (1, 1): 1})
    tree = trees.search(100)
    # By turns: (0,), (1,), (0, 0), and then (1, 0), which is worth 1.
    assert trees.paths[0, int(tree.best()[0])] == (1, 0)


def test_a_budget_of_evaluations_counts_for_each_environment_and_finishes_what_it_began():
    trees = HandMadeTrees({}, {}, depth=9, expansion_cost=3, evaluation_cost=5)
    tree = trees.search(Budget(evaluations=20))
    assert tree.num_nodes.tolist() == [3, 3]  # 8, 16, 24
    assert tree.evaluations.tolist() == [24, 24]


def test_a_budget_of_time_begins_nothing_that_would_end_late():
    now = [0.0]
    trees = HandMadeTrees({}, depth=9)

    def evaluate(new):
        now[0] += 0.25
        return trees.evaluate(new)

    def run(milliseconds):
        now[0], trees.paths = 0.0, {(0, ROOT): ()}
        budget = Budget(milliseconds=milliseconds)
        return search(lambda: trees.root, expand=trees.expand, evaluate=evaluate, budget=budget, clock=lambda: now[0])

    assert [int(run(milliseconds).num_nodes[0]) for milliseconds in (0, 250, 499, 500, 1000)] == [1, 1, 1, 2, 4]


def test_the_earliest_end_of_a_budget_counts():
    tree = HandMadeTrees({}, depth=9, evaluation_cost=1).search(Budget(expansions=2, evaluations=100))
    assert tree.num_nodes.tolist() == [3]


def test_mistakes_are_said():
    with pytest.raises(UserError, match="needs a budget"):
        Budget()
    with pytest.raises(UserError, match="milliseconds must be 0 or more; got nan"):
        Budget(milliseconds=float("nan"))
    with pytest.raises(UserError, match="selection must be one of puct, uct; got 'best'"):
        Rule(selection="best")
    with pytest.raises(UserError, match="exploration"):
        Rule(exploration=-1)
    with pytest.raises(UserError, match="widening"):
        Rule(widening=2)
    with pytest.raises(UserError, match="leaves must be at least 1; got 0"):
        HandMadeTrees({}).search(1, leaves=0)

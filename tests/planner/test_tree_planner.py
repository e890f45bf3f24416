"""Trees of plans: what children share, where they leave, and that no environment or budget changes what was before."""

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, line_model, tiny_denoiser, tiny_model

from dfplan.errors import UserError
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings, TreePlanner, TreeSettings
from dfplan.planner.search import ROOT, Rule

STATES = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.5, 0.0], [2.0, 1.0, 0.0, -0.5]])
# Hit by full speed from STATES after 30.4, 50.4 and 0 steps.
GOALS = np.array([[1.0, 3.02], [4.02, 2.0], [2.0, 1.2]])
FIELDS = ("observations", "actions", "rewards", "arrival", "num_steps", "value", "evaluations", "token_evaluations")


def _generators(count, *, first=0):
    return [torch.Generator().manual_seed(100 + first + index) for index in range(count)]


def _planner(model=None, *, max_nodes=12, tree=None, rule=None, **settings):
    settings = PlannerSettings(**({"num_candidates": 3} | settings))
    return TreePlanner(model or tiny_model(), settings=settings, tree=tree, rule=rule, max_nodes=max_nodes)


def _plan(planner, *, horizon=40, rows=slice(None)):
    return planner.plan(STATES[rows], GOALS[rows], horizon=horizon, generators=_generators(3)[rows])


def _grow(planner, *, horizon=60):
    return planner.grow(planner.believe(STATES[:1], GOALS[:1]), horizon=horizon, generators=_generators(1))


@pytest.mark.parametrize("max_nodes", [0, 8])
def test_plans_arrive_when_the_straight_line_does(max_nodes):
    plan = _plan(_planner(line_model(), max_nodes=max_nodes), horizon=60)
    assert plan.arrival.tolist() == [31, 51, 1]
    assert plan.num_steps.tolist() == [32, 52, 4]
    assert plan.actions.shape == (3, 52, 2)
    assert plan.observations.shape == (3, 26, 4)
    assert plan.rewards.shape == (3, 13)
    np.testing.assert_allclose(plan.actions[0, :28], np.tile([0.0, 1.0], (28, 1)), atol=1e-4)


def test_without_a_budget_the_answer_is_the_best_of_the_first_plans():
    trees = _grow(_planner(max_nodes=0))
    plans = trees.plans[0]
    assert trees.tree.num_nodes.tolist() == [1]
    assert trees.tree.best().tolist() == [ROOT]
    assert plans.value(ROOT) == max(1 / (1 + node.cost / plans.num_steps) for node in plans._first)
    assert len(plans._first) == 3


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("settings", [{}, {"eta": 1.0}, {"window_tokens": 3}, {"cfg_scale": 0.0}])
def test_a_tree_is_the_same_bit_for_bit_alone_and_beside_others(name, settings):
    planner = _planner(tiny_model(tiny_denoiser(name)), **settings)
    together = _plan(planner)
    for row in range(len(STATES)):
        alone = _plan(planner, rows=slice(row, row + 1))
        steps = int(alone.num_steps[0])
        lengths = {"actions": steps, "observations": steps // LAYOUT.steps_per_point, "rewards": steps // 4}
        for field in FIELDS:
            found, expected = getattr(together, field)[row], getattr(alone, field)[0]
            end = lengths.get(field)
            np.testing.assert_array_equal(found[:end] if end else found, expected[:end] if end else expected)


def test_the_same_seeds_give_the_same_tree_and_others_another():
    planner = _planner()
    first, again = _plan(planner), _plan(planner)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    other = planner.plan(STATES, GOALS, horizon=40, generators=_generators(3, first=7))
    assert not np.array_equal(first.actions, other.actions)


@pytest.mark.parametrize("rule", [Rule(), Rule(selection="uct", exploration=0.3)])
def test_a_larger_budget_goes_on_from_a_smaller_one(rule):
    values = [_plan(_planner(max_nodes=count, rule=rule), horizon=60).value for count in (0, 3, 6, 12)]
    assert (np.diff(values, axis=0) >= 0).all()
    small, large = (_grow(_planner(max_nodes=count, rule=rule)) for count in (6, 12))
    for before, after in zip(small.plans[0].nodes, large.plans[0].nodes[:7], strict=True):
        assert torch.equal(before.tokens, after.tokens)


def test_children_keep_what_their_place_says_and_differ_afterwards():
    still = line_model(seeks_goal=False, spread=0.3)
    trees = _grow(_planner(still, max_nodes=20, tree=TreeSettings(num_siblings=2, minimum_distance=0.0)), horizon=40)
    tree, nodes = trees.tree, trees.plans[0].nodes
    checked = 0
    for index in range(1, len(nodes)):
        parent, branch = nodes[tree.parent[0, index]], int(tree.branch[0, index])
        if tree.parent[0, index] == ROOT:
            assert nodes[index].num_kept == 0
            continue
        kept = parent.leaves[branch // 2]
        assert nodes[index].num_kept == kept
        assert torch.equal(nodes[index].tokens[:kept], parent.tokens[:kept])
        assert not torch.equal(nodes[index].tokens[kept], parent.tokens[kept])
        checked += 1
    assert checked > 10


def test_where_children_leave_is_apart_from_all_places_passed_earlier():
    plans = _grow(_planner(max_nodes=16, tree=TreeSettings(tokens_per_edge=1, minimum_distance=0.3))).plans[0]
    places = plans._places
    assert len(places) > 3
    for index, (tokens, *place) in enumerate(places):
        near = np.linalg.norm(places[:index, 1:] - place, axis=1) < 0.3
        assert (places[:index, 0][near] > tokens).all()


def test_no_child_leaves_where_no_better_plan_is_possible():
    plans = _grow(_planner(line_model(), max_nodes=9, consistency_penalty=0.0)).plans[0]
    best = plans.best_cost
    assert best == pytest.approx(31, abs=1)
    # Full speed along both axes is 0.05 * √2 a step, and 0.5 is enough.
    assert plans._steps_left(np.array([[1.0, 1.02], [1.0, 2.9]])) == pytest.approx([1.5 / (0.05 * 2**0.5), 0])
    for node in plans.nodes[1:]:
        for kept in node.leaves:
            position = plans._states(node.tokens[None])[0, 2 * kept - 1, :2].numpy()
            assert 4 * kept + plans._steps_left(position) < best + 1e-6


def test_evaluations_are_those_of_all_nodes():
    trees = _grow(_planner(line_model(), max_nodes=3))  # the first plans alone
    plan = _planner(line_model(), max_nodes=3).answer(trees)
    # 3 levels and slope 1: the 8 tokens until arrival take 3 + 7 rows.
    assert plan.evaluations.tolist() == [3 * 10]


def test_plans_go_on_over_windows():
    plan = _plan(_planner(line_model(num_tokens=5), max_nodes=8), horizon=60)
    assert plan.arrival.tolist() == [31, 51, 1]


def test_guided_siblings_come_nearer():
    still = line_model(seeks_goal=False, spread=0.3)
    settings = {"guidance": GuidanceSettings(distance=1.0), "num_candidates": 8}
    plans = _grow(_planner(still, max_nodes=8, tree=TreeSettings(strengths=(0.0, 3.0)), **settings)).plans[0]
    gaps = {strength: [] for strength in (0.0, 3.0)}
    for node in plans.nodes[1:]:
        ends = plans._states(node.tokens[None])[0, :, :2].numpy()
        gaps[node.strength].append(float(np.linalg.norm(ends - GOALS[0], axis=1).mean()))
    assert len(gaps[0.0]) == len(gaps[3.0]) == 4
    assert max(gaps[3.0]) < min(gaps[0.0])


def test_blind_siblings_do_not_see_the_goal():
    settings = {"tree": TreeSettings(num_siblings=2, num_blind=1), "num_candidates": 4, "max_nodes": 4}
    planner, first = _planner(line_model(spread=0.1), **settings), []
    for goal in GOALS[:2]:
        belief = planner.believe(STATES[:1], goal[None])
        trees = planner.grow(belief, horizon=20, generators=_generators(1))
        first.append(trees.plans[0].nodes[1:])
    for one, other in zip(*first, strict=True):
        tokens = min(len(one.tokens), len(other.tokens))
        assert torch.equal(one.tokens[:tokens], other.tokens[:tokens]) == one.is_blind == other.is_blind
    assert [node.is_blind for node in first[0]] == [False, True, False, True]


def test_where_all_siblings_are_blind_no_goal_is_shown():
    blind = _plan(_planner(line_model(), tree=TreeSettings(num_blind=4)))
    hidden = _plan(_planner(line_model(), cfg_scale=0.0))
    np.testing.assert_array_equal(blind.actions, hidden.actions)


def test_way_points_are_judged_over_the_whole_plan():
    guidance = GuidanceSettings(waypoints=((1.0, 2.0),), constraints=1.0, method="chosen")
    planner = _planner(line_model(num_tokens=5), guidance=guidance, tree=TreeSettings(strengths=(0.0, 1.0)))
    assert _plan(planner, horizon=40, rows=slice(0, 1)).arrival.tolist() == [31]


def test_the_planner_and_its_tree_agree_on_what_a_first_plan_is():
    tree = _plan(_planner(line_model(), max_nodes=0), horizon=60)
    plain = Planner(line_model(), settings=PlannerSettings(num_candidates=3))
    expected = plain.plan(STATES, GOALS, horizon=60, generators=_generators(3))
    assert tree.arrival.tolist() == expected.arrival.tolist()
    for row, steps in enumerate(expected.num_steps):
        np.testing.assert_allclose(tree.actions[row, :steps], expected.actions[row, :steps], atol=1e-4)


def test_a_budget_of_time_ends_the_search():
    plan = _plan(_planner(max_nodes=None, budget_ms=30.0), horizon=60)
    assert np.isfinite(plan.actions).all()


def test_mistakes_are_said():
    with pytest.raises(UserError, match="a tree must end"):
        _planner(max_nodes=None)
    with pytest.raises(UserError, match="guide towards nothing"):
        _planner(tree=TreeSettings(strengths=(0.0, 1.0)))
    with pytest.raises(UserError, match="can be blind to it"):
        _planner(tree=TreeSettings(num_blind=1), history=None)
    with pytest.raises(UserError, match="committed actions"):
        _planner().plan(STATES, GOALS, horizon=8, generators=_generators(3), committed=[np.zeros((4, 2))] * 3)
    with pytest.raises(UserError, match="keeps no partly denoised states"):
        _planner().plan(STATES, GOALS, horizon=8, generators=_generators(3), record_history=True)
    for wrong in (
        {"tokens_per_edge": 0},
        {"num_siblings": 0},
        {"strengths": ()},
        {"num_blind": 5},
        {"strengths": (-1.0,)},
        {"minimum_distance": -1},
    ):
        with pytest.raises(UserError, match=next(iter(wrong))):
            TreeSettings(**wrong)

"""The picture of a tree: the best plan whole, every plan below the one it leaves, and one file."""

import numpy as np
from PIL import Image

from dfplan.domains.maze.tree_pictures import DrawnPlan, best_path, draw_tree, in_order, way_to
from dfplan_envs import build_maze


def _plan(points, parent=-1, first_step=0, *, value=0.5, arrives=False, visits=1):
    path = np.array(points, dtype=float)
    steps = first_step + 8 * (len(path) - 1)
    return DrawnPlan(path, parent, first_step, steps, arrives=arrives, value=value, visits=visits)


# 0 goes up; 1 leaves it after one point; 2 leaves 1 at its end but one; 3 is another first plan; 4 leaves 0 late.
PLANS = [
    _plan([(3, 1), (3, 2), (3, 3), (2, 3)], visits=4),
    _plan([(3, 2), (2.5, 2), (2.5, 3)], 0, 8, visits=2),
    _plan([(2.5, 2), (1, 2), (1, 1)], 1, 16, value=0.9, arrives=True),
    _plan([(3, 1), (3, 1.5)], value=0.1),
    _plan([(3, 3), (1, 3)], 0, 16),
]


def test_the_best_plan_is_put_together_of_the_plans_it_left():
    assert way_to(PLANS, 2) == [0, 1, 2]
    assert best_path(PLANS, [0, 1, 2]).tolist() == [[3, 1], [3, 2], [2.5, 2], [1, 2], [1, 1]]
    assert best_path(PLANS, [3]).tolist() == [[3, 1], [3, 1.5]]


def test_plans_stand_below_the_one_they_leave_the_latest_first():
    assert in_order(PLANS) == [0, 4, 1, 2, 3]


def test_a_tree_becomes_one_picture(tmp_path):
    path = tmp_path / "new folder" / "tree.png"
    arguments = {"maze": build_maze("umaze"), "start": np.array([3.0, 1.0]), "goal": np.array([1.0, 1.0])}
    assert draw_tree(PLANS, answer=2, path=path, title="maze2d-umaze", **arguments) == path
    assert Image.open(path).size[0] > 1200
    assert draw_tree(PLANS[:1], answer=0, path=path.with_name("one.png"), title="one plan", **arguments).is_file()
    assert sorted(each.name for each in path.parent.iterdir()) == ["one.png", "tree.png"]

"""OGBench's point mazes: the package's own steps, tasks and radius; data by its procedure; every command on them."""

import json

import gymnasium
import numpy as np
import pytest

from dfplan.cli.any_environment import usual_options, with_environment
from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.find import find_domain
from dfplan.domains.gymnasium import register_known
from dfplan.domains.ogbench.environment import BALL, KINDS, MAZES, PIXELS, TASKS, WALL, PointMaze, maze_and_kind
from dfplan.domains.ogbench.generate import Collector, published

MEDIUM = "ogbench/pointmaze-medium-navigate-v0"
TRAIN = [
    f"env={MEDIUM}",
    "env.window_tokens=4",
    "resynthesis.num_steps=3000",
    "training.num_steps=2",
    "training.batch_size=4",
    "model.width=16",
    "model.num_layers=1",
    "model.num_heads=1",
]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))


def need_ogbench():
    return pytest.importorskip("ogbench.locomaze", reason="pip install 'dfplan[ogbench]'")


def test_names_are_those_of_the_published_data_sets():
    register_known(MEDIUM)
    for maze in MAZES:
        for kind in KINDS:
            env_id = f"ogbench/pointmaze-{maze}-{kind}-v0"
            assert gymnasium.spec(env_id).max_episode_steps == 1000
            assert maze_and_kind(env_id) == (maze, kind)


def test_nothing_has_to_be_said_to_train_and_to_evaluate():
    train = with_environment("train", [f"env={MEDIUM}"])
    assert {"training=far", "windows=far", "env.window_tokens=24"} <= set(train)
    assert "env.name=ogbench-pointmaze-medium-navigate-v0" in train
    assert usual_options("ogbench-pointmaze-giant-stitch-v0", []) == ["planner=far", "controller=far"]


@pytest.mark.slow
@pytest.mark.parametrize("maze", MAZES)
def test_steps_are_those_of_the_package_to_the_bit(maze):
    """From a task's start, by the same actions; the package draws what it draws from the same numbers."""
    need_ogbench()
    ours, theirs = PointMaze(maze), gymnasium.make(f"pointmaze-{maze}-v0")
    shown, _ = ours.reset(seed=3, options={"task": TASKS[2]})
    np.random.seed(0)  # noqa: NPY002
    place, info = theirs.reset(options={"task_id": 3})
    inner = theirs.unwrapped
    inner.set_goal(goal_xy=tuple(shown["desired_goal"]))
    inner.set_xy(shown["observation"])
    actions = np.random.default_rng(1).uniform(-1, 1, (400, 2)).astype(np.float32)
    np.random.set_state(ours._drawn)  # noqa: NPY002
    for action in actions:
        shown, reward, terminated, _, told = ours.step(action)
        place, paid, over, _, info = theirs.step(action)
        np.testing.assert_array_equal(shown["observation"], place)
        assert (reward, terminated, told["is_success"]) == (paid, over, info["success"] > 0)
        if terminated:
            break
    ours.close()
    theirs.close()


@pytest.mark.slow
@pytest.mark.parametrize("maze", MAZES)
def test_tasks_and_radius_are_the_published_ones(maze):
    need_ogbench()
    domain = find_domain(f"ogbench/pointmaze-{maze}-stitch-v0")
    inner = gymnasium.make(f"pointmaze-{maze}-v0").unwrapped
    assert domain.goal_radius == inner._goal_tol == 1.0
    with domain.protocol().begin(range(10), seed=0) as running:
        for row, task in enumerate(2 * inner.task_infos):
            assert task["task_name"] == domain.reset_options(row)["task"]
            for name, where in (("init_xy", running.begun.states[row]), ("goal_xy", running.begun.goals[row])):
                assert np.abs(where - task[name]).max() <= 1.0
    assert domain.spec.episode_steps == 1000


def test_a_seed_is_an_episode_and_numpys_global_numbers_are_left_alone():
    need_ogbench()
    env = find_domain(MEDIUM).make()
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    goals = [env.reset(seed=seed)[0]["desired_goal"].tolist() for seed in (1, 2, 1)]
    env.step(env.action_space.sample())
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert goals[0] == goals[2] != goals[1]
    assert env.observation_space.contains(env.reset(seed=1)[0])
    env.close()


def test_it_is_drawn_without_opengl():
    need_ogbench()
    env = PointMaze("teleport", render_mode="rgb_array")
    shown, _ = env.reset(seed=0, options={"task": "task1"})
    picture = env.render()
    x, y = ((shown["observation"] + 6) * PIXELS / 4).astype(int)
    assert tuple(picture[y, x]) == BALL
    assert tuple(picture[0, 0]) == WALL
    assert picture.shape == (9 * PIXELS, 12 * PIXELS, 3)
    env.close()


def driven_as_published(maze, kind, *, seeds, num_steps):
    """Rows by the package's own oracle, searched anew with every step, in the order in which its script draws."""
    env, goals = gymnasium.make(f"pointmaze-{maze}-v0", terminate_at_goal=False).unwrapped, Collector(maze)
    entropy = np.random.SeedSequence(seeds).generate_state(4)
    np.random.seed(entropy)  # noqa: NPY002
    pick = lambda cells: cells[np.random.randint(len(cells))]  # noqa: E731, NPY002
    start = pick(goals.cells)
    goal = pick(goals.vertices if kind == "navigate" else goals.cells_around(start))
    place, _ = env.reset(options={"task_info": {"init_ij": start, "goal_ij": goal}})
    rows = []
    for _ in range(num_steps):
        towards = env.get_oracle_subgoal(env.get_xy(), env.cur_goal_xy)[0] - env.get_xy()
        action = np.clip(
            towards / (np.linalg.norm(towards) + 1e-6) + np.random.normal(0, 0.5, 2),  # noqa: NPY002
            -1,
            1,
        )
        rows.append([*place, *action])
        place, _, _, _, info = env.step(action)
        if info["success"] and kind == "navigate":
            env.set_goal(pick(goals.vertices))
    return np.array(rows, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("maze", MAZES)
def test_data_are_what_the_published_procedure_makes(maze, kind):
    need_ogbench()
    steps = published(maze, kind).steps
    found = Collector(maze).drive(kind, noise=0.5, num_steps=steps, seeds=(7, 3))
    expected = driven_as_published(maze, kind, seeds=(7, 3), num_steps=steps)
    np.testing.assert_array_equal(np.hstack([found["observations"], found["actions"]]), expected)
    assert found["timeouts"].tolist() == [False] * (steps - 1) + [True]


def test_goals_of_stitched_episodes_are_four_cells_away_and_of_others_where_ways_turn():
    need_ogbench()
    collector = Collector("medium")
    assert len(collector.cells) == 26
    assert (3, 2) in collector.vertices
    assert not {(3, 3), (5, 6)} & set(collector.vertices)  # in the middle of corridors, across and down
    for start in collector.cells:
        for goal in collector.cells_around(start):
            assert np.abs(np.subtract(start, goal)).sum() in (4, 2, 0)


@pytest.mark.slow
def test_data_do_not_depend_on_how_many_processes_made_them(monkeypatch):
    need_ogbench()
    words = ["generate", f"env={MEDIUM}", "num_steps=21000", "seed=4"]
    assert main([*words, "output=many.hdf5"]) == 0
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert main([*words, "output=one.hdf5"]) == 0
    many, one = read("many.hdf5"), read("one.hdf5")
    np.testing.assert_array_equal(many.observations, one.observations)
    np.testing.assert_array_equal(many.actions, one.actions)
    assert len(one) == 21 * 1001
    assert one.goals is not None


@pytest.mark.slow
def test_every_command_and_the_published_layout(tmp_path, capsys):
    """Generated data and the same in OGBench's .npz make the same weights; the grid is a row of the same harness."""
    need_ogbench()
    assert main(["generate", f"env={MEDIUM}", "num_steps=20000"]) == 0
    data = read(tmp_path / "cache" / "datasets" / "ogbench" / "pointmaze-medium-navigate-v0.hdf5")
    ends = np.isin(np.arange(len(data)), data.starts[1:] - 1)
    np.savez("og.npz", observations=data.observations, actions=data.actions, terminals=ends)
    assert main(["train", *TRAIN, "output=a"]) == 0
    assert main(["train", *TRAIN, "data=og.npz", "output=b"]) == 0
    weights = [(tmp_path / each / "model" / "model.safetensors").read_bytes() for each in "ab"]
    assert weights[0] == weights[1]
    words = [f"env={MEDIUM}", "weights=a", "n_episodes=5", "seed=5000"]
    assert main(["eval", *words, "output=eval", "planner.num_candidates=2"]) == 0
    assert main(["eval", *words, "agent=grid", "output=grid"]) == 0
    found = {each: json.loads((tmp_path / each / "results.json").read_text()) for each in ("eval", "grid")}
    assert set(found["grid"]["success_of_each_task"]) == set(TASKS)
    assert found["grid"]["metrics"]["success_rate"]["mean"] == 1
    assert found["eval"]["plan_seconds"]["an_episode"] > 0
    assert list((tmp_path / "grid").glob("*.png"))
    assert main(["plan", f"env={MEDIUM}", "weights=a", "seed=5000", "output=plan"]) == 0
    assert (
        main(
            [
                "bench",
                f"env={MEDIUM}",
                "+options_of.ours=[weights=a]",
                "+options_of.rival=[weights=a,agent=grid]",
                "agents=[ours,rival]",
                "n_episodes=2",
                "n_plans=2",
                "least_plans=1",
                "timing_seconds=0.1",
                "output=bench",
            ]
        )
        == 0
    )

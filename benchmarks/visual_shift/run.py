"""What a planner that sees makes of frames that look other than those it was trained on; writes a dated result file."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, head, newest_file, row, source

from dfplan.agent import MPCAgent, ShootingTracker
from dfplan.agent.pixels import PixelAgent
from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.cli.main import main as dfplan
from dfplan.domains.camera import load_camera
from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.domains.maze.sources import states_id
from dfplan.domains.maze.state_estimator import StateEstimator, load_estimator, load_keypoints
from dfplan.evaluation.metrics import mean_interval
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.models import load_forcing_model
from dfplan.models.bundle import load_bundle
from dfplan.planner import Planner, PlannerSettings
from dfplan.types import PlanEvent

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BEGIN, END = "<!-- table: written by benchmarks/visual_shift/run.py -->", "<!-- end of table -->"
FIRST_SEED = 10_000  # of drives whose frames are looked at: no dataset that was trained on has it
Shift = Callable[[np.ndarray, np.random.Generator], np.ndarray]
# What is done to every frame ``(n, 64, 64, 3)`` of 0 to 255, those of the goal included.
SHIFTS: dict[str, Shift] = {
    "as trained": lambda frames, _: frames,
    "noise of 20": lambda frames, generator: frames + generator.normal(0, 20, frames.shape),
    "noise of 40": lambda frames, generator: frames + generator.normal(0, 40, frames.shape),
    "noise of 80": lambda frames, generator: frames + generator.normal(0, 80, frames.shape),
    "brighter by 10": lambda frames, _: frames + 10,
    "darker, 80 %": lambda frames, _: 0.8 * frames,
    "darker, 60 %": lambda frames, _: 0.6 * frames,
    "yellowish light": lambda frames, _: frames * np.array([1.0, 0.9, 0.8]),
    "camera moved a pixel": lambda frames, _: np.roll(frames, 1, axis=2),
    "a red mark in the wall": lambda frames, _: _marked(frames),
    "the agent green": lambda frames, _: _green(frames),
}
VIEWS = {"MuJoCo's view": "bundled", "MuJoCo's view, eyes trained on it": "trained"}


def _marked(frames: np.ndarray) -> np.ndarray:
    frames = frames.copy()
    frames[:, 4:8, 50:54] = (200, 60, 60)
    return frames


def _green(frames: np.ndarray) -> np.ndarray:
    """Red and green exchanged where there is more of the one: the agent is the one thing with a hue."""
    hue = frames[..., :1] - frames[..., 2:] > 40
    return np.where(hue, frames[..., [1, 0, 2]], frames)


class ShiftedAgent:
    """An agent whose camera is not what it was."""

    def __init__(self, agent: PixelAgent, *, shift: Shift) -> None:
        self._agent, self._shift = agent, shift
        self.on_plan: Callable[[PlanEvent], None] | None = None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """See :class:`dfplan.evaluation.rollout.Agent`; ``goals`` are pictures."""
        self._generator = np.random.default_rng([*seeds, 5])
        self._agent.on_plan = self.on_plan
        self._agent.reset(seeds=seeds, goals=shifted(goals, shift=self._shift, generator=self._generator))

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`dfplan.evaluation.rollout.Agent`."""
        return self._agent.act(shifted(observations, shift=self._shift, generator=self._generator))


def shifted(frames: np.ndarray, *, shift: Shift, generator: np.random.Generator) -> np.ndarray:
    """Frames uint8 after a shift."""
    return np.clip(np.rint(shift(frames.astype(np.float64), generator)), 0, 255).astype(np.uint8)


def weights_of(maze: str) -> Path:
    """The bundled planner that sees a maze."""
    return bundled_weights() / f"pixelmaze-{maze}"


def measure(maze: str, *, eyes: Path | None, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Every shift of one maze; ``eyes`` are of a tokenizer trained on MuJoCo's view, None where that is left out."""
    env_id, folder = f"pixelmaze-{maze}-v1", weights_of(maze)
    model = load_forcing_model(folder)
    observer = load_estimator(folder, model.metadata["frames"])
    positions = generate_maze2d(states_id(env_id), num_steps=20_000, seed=FIRST_SEED + arguments.seed)["infos/qpos"][
        ::40
    ]
    rows = []

    def add(name: str, *, shift: Shift, view: str, observer: StateEstimator) -> None:
        frames = load_camera(env_id, view=view).render(positions)
        found = observer.places(shifted(frames, shift=shift, generator=np.random.default_rng(arguments.seed)))
        errors = np.linalg.norm(found - positions, axis=1)
        horizon = load_maze(env_id).max_episode_steps
        agent = MPCAgent(
            Planner(model, settings=PlannerSettings()),
            controller=ShootingTracker(model.dynamics, goal_radius=model.goal_radius),
            replan_every=arguments.replan_every,
            horizon=horizon,
        )
        protocol = MazeProtocol(env_id, goal="random", goal_given="image", view=view)
        rollouts = evaluate_agent(
            ShiftedAgent(PixelAgent(agent, sight=observer), shift=shift),
            protocol,
            num_episodes=arguments.episodes,
            num_envs=arguments.episodes,
            seed=arguments.seed,
        )
        scores = protocol.scores(rollouts)
        rows.append(
            {
                "maze": maze,
                "shift": name,
                "error_median": float(np.median(errors)),
                "error_p95": float(np.quantile(errors, 0.95)),
                "score": vars(mean_interval(scores.normalized_return)),
                "success": float(scores.success.mean()),
            }
        )
        print(rows[-1], flush=True)

    for name, shift in SHIFTS.items():
        add(name, shift=shift, view="top", observer=observer)
    if eyes is not None:
        trained = replace(observer, tokenizer=load_keypoints(eyes), folder=eyes)
        for name, kind in VIEWS.items():
            add(name, shift=SHIFTS["as trained"], view="mujoco", observer=trained if kind == "trained" else observer)
    return rows


def train_eyes(maze: str, *, runs: Path) -> Path:
    """The tokenizer of MuJoCo's view of a maze, trained unless it was."""
    run = runs / f"eyes-{maze}"
    if not (run / "model").is_dir():
        words = ["train", "task=keypoints", f"env=pixelmaze-{maze}", "task.view=mujoco", "threads=1", f"output={run}"]
        if status := dfplan(words):
            raise SystemExit(status)
    return run / "model"


def draw(maze: str, *, path: Path, with_mujoco: bool) -> None:
    """One frame under every shift and, where asked for, in MuJoCo's view."""
    import matplotlib.pyplot as plt

    env_id = f"pixelmaze-{maze}-v1"
    place = generate_maze2d(states_id(env_id), num_steps=500, seed=FIRST_SEED)["infos/qpos"][-1:]
    frame = load_camera(env_id).render(place)
    shown = {name: shifted(frame, shift=shift, generator=np.random.default_rng(0))[0] for name, shift in SHIFTS.items()}
    if with_mujoco:
        shown["MuJoCo's view"] = load_camera(env_id, view="mujoco").render(place)[0]
    figure, axes = plt.subplots(2, -(-len(shown) // 2), figsize=(1.9 * -(-len(shown) // 2), 4.4), layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, picture) in zip(axes.flat, shown.items(), strict=False):
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(name, fontsize=9)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def table(record: Record) -> str:
    """The table of the README."""
    lines = [*head("maze, frames", "position found wrong by, cells: median / 95 %", "score", "success %")]
    for each in record["rows"]:
        score = each["score"]
        lines.append(
            row(
                f"{each['maze']}, {each['shift']}",
                f"{each['error_median']:.3f} / {each['error_p95']:.3f}",
                f"{score['mean']:.1f} [{score['low']:.0f}, {score['high']:.0f}]",
                f"{100 * each['success']:.0f}",
            )
        )
    return "\n".join([*lines, "", f"{record['episodes']} episodes of seed {record['seed']}. {source(record)}"])


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--mazes", nargs="+", default=["medium", "large"])
    parser.add_argument("--replan-every", type=int, default=32)
    parser.add_argument("--runs", type=Path, default=Path("runs/visual_shift"), help="where new eyes are kept")
    parser.add_argument("--no-mujoco", action="store_true", help="leave out MuJoCo's view, which needs OpenGL")


def results(arguments: argparse.Namespace) -> Named:
    """Every shift in every maze, and a picture of them."""
    torch.set_num_threads(1)
    draw(arguments.mazes[0], path=HERE / "plots" / "shifts.png", with_mujoco=not arguments.no_mujoco)
    rows = []
    for maze in arguments.mazes:
        eyes = None if arguments.no_mujoco else train_eyes(maze, runs=arguments.runs)
        rows += measure(maze, eyes=eyes, arguments=arguments)
    record = {name: getattr(arguments, name) for name in ("episodes", "seed", "replan_every")}
    weights = {each: describe_weights(weights_of(each), load_bundle(weights_of(each))[1]) for each in arguments.mazes}
    yield "", record | {"weights": weights, "rows": rows}


def pages() -> dict[Path, str]:
    """The README with the table of the newest file."""
    if (newest := newest_file(RESULTS)) is None:
        raise SystemExit("no result file yet; run without --table")
    readme = HERE / "README.md"
    return {readme: between_marks(readme.read_text(), table(newest), begin=BEGIN, end=END)}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=30, seed=0, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

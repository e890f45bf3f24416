"""How many steps and frames a second the mazes and the data generator make; writes a dated file beside this script."""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np

import dfplan_envs  # noqa: F401  (registers the environments)
from dfplan.domains.camera import load_camera
from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.generate import generate_maze2d

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

RESULTS = Path(__file__).parent / "results"
NUM_STEPS = 40_000  # environment steps of one run: about half a second
GENERATED_STEPS = 100_000
NUM_FRAMES = 8192
HOLD_STEPS = 20  # each random action is held, so that the balls also press against walls


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--runs", type=int, default=7, help="repetitions of each measurement (default 7)")


def results(arguments: argparse.Namespace) -> Named:
    """Steps and frames a second."""
    measurements = {
        "single environment, gymnasium.make": lambda: step_single("maze2d-large-v1"),
        "batch of 1": lambda: step_batch("maze2d-large-v1", num_envs=1),
        "batch of 64": lambda: step_batch("maze2d-large-v1", num_envs=64),
        "batch of 64, umaze": lambda: step_batch("maze2d-umaze-v1", num_envs=64),
        "generator, umaze": lambda: generate("maze2d-umaze-v1"),
        "generator, large": lambda: generate("maze2d-large-v1"),
        "pixels, single environment, gymnasium.make": lambda: step_single("pixelmaze-large-v1"),
        "pixels, batch of 64": lambda: step_batch("pixelmaze-large-v1", num_envs=64),
    }
    frames = {
        "from above, one by one": lambda: render("pixelmaze-large-v1", batch_size=1),
        "from above, batches of 64": lambda: render("pixelmaze-large-v1", batch_size=64),
        "from above, batches of 1024": lambda: render("pixelmaze-large-v1", batch_size=1024),
        "egocentric, batches of 64": lambda: render("pixelmaze-large-v1", batch_size=64, view="egocentric"),
    }
    yield (
        "",
        {
            "question": "environment steps and rendered frames a second, in one process and one thread",
            "steps_per_second": measure_all(measurements, num_runs=arguments.runs, unit="steps/s"),
            "frames_per_second": measure_all(frames, num_runs=arguments.runs, unit="frames/s"),
            "runs": arguments.runs,
            "device": f"{cpu_name()}, {os.cpu_count()} CPUs",
        },
    )


def measure_all(
    measurements: dict[str, Callable[[], tuple[int, Callable[[], None]]]], *, num_runs: int, unit: str
) -> dict[str, dict[str, int]]:
    """Time each of the measurements, and print its median."""
    found = {}
    for name, measure in measurements.items():
        found[name] = summarize(measure, num_runs=num_runs)
        print(f"{name:44s} {found[name]['wall_median']:>9,} {unit}")
    return found


def step_single(env_id: str) -> tuple[int, Callable[[], None]]:
    """Return the number of steps and what to time: one environment with Gymnasium's usual wrappers."""
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    actions = draw_actions((NUM_STEPS // HOLD_STEPS, 2))

    def run() -> None:
        for action in actions:
            for _ in range(HOLD_STEPS):
                env.step(action)

    return NUM_STEPS, run


def step_batch(env_id: str, *, num_envs: int) -> tuple[int, Callable[[], None]]:
    """Return the number of environment steps and what to time: a batch of environments."""
    env = gymnasium.make_vec(env_id, num_envs=num_envs, vectorization_mode="vector_entry_point")
    env.reset(seed=0)
    actions = draw_actions((max(1, NUM_STEPS // num_envs // HOLD_STEPS), num_envs, 2))

    def run() -> None:
        for action in actions:
            for _ in range(HOLD_STEPS):
                env.step(action)

    return len(actions) * HOLD_STEPS * num_envs, run


def generate(env_id: str) -> tuple[int, Callable[[], None]]:
    """Return the number of transitions and what to time: the data generator."""

    def run() -> None:
        generate_maze2d(env_id, num_steps=GENERATED_STEPS, seed=0)

    return GENERATED_STEPS, run


def render(env_id: str, *, batch_size: int, view: str = "top") -> tuple[int, Callable[[], None]]:
    """Return the number of frames and what to time: a camera on random free places."""
    camera, maze = load_camera(env_id, view=view), load_maze(env_id)
    generator = np.random.default_rng(0)
    cells = maze.free_cells[generator.integers(len(maze.free_cells), size=NUM_FRAMES)]
    batches = (cells + generator.uniform(-0.1, 0.1, size=cells.shape)).reshape(-1, batch_size, 2)

    def run() -> None:
        for positions in batches:
            camera.render(positions)

    return NUM_FRAMES, run


def draw_actions(shape: tuple[int, ...]) -> np.ndarray:
    """Draw uniform actions."""
    return np.random.default_rng(0).uniform(-1, 1, size=shape).astype(np.float32)


def summarize(measure: Callable[[], tuple[int, Callable[[], None]]], *, num_runs: int) -> dict[str, int]:
    """Time a measurement several times, after one run to warm up; steps a second by the wall and by CPU time."""
    num_steps, run = measure()
    run()
    wall, cpu = [], []
    for _ in range(num_runs):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        run()
        wall.append(num_steps / (time.perf_counter() - wall_start))
        cpu.append(num_steps / (time.process_time() - cpu_start))
    return {
        "wall_median": round(statistics.median(wall)),
        "wall_lowest": round(min(wall)),
        "wall_highest": round(max(wall)),
        "cpu_median": round(statistics.median(cpu)),
    }


def cpu_name() -> str:
    """Return the processor's name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


BENCHMARK = Benchmark(says=__doc__, folder=Path(__file__).parent, measure=results, options=options)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

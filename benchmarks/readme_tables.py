"""Writes the README's table over worlds from the summaries of the benchmarks; ``--check`` tells whether it is current.

Beside ours stands behaviour cloning of the same data, and the best of whoever else was measured, ahead of us or not.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frame import Benchmark
from records import between_marks, head, row

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- worlds: written by benchmarks/readme_tables.py -->", "<!-- end of worlds -->"
NAMES = {
    "grid": "shortest path on visited cells",
    "expert": "the script itself",
    "td3_bc": "TD3+BC",
    "iql": "IQL",
    "cql": "CQL",
    "diffuser": "Diffuser, value-guided",
    "diffusion_policy": "diffusion policy",
}


@dataclass(frozen=True)
class World:
    """A row: where its figures stand, and how many episodes of each training were counted."""

    title: str
    folder: str
    ours: str
    cloning: str
    rivals: tuple[str, ...]
    episodes: int
    share: bool = True  # told in per cent
    tasks: int = 1  # that it is the mean of, each of which counts its episodes


LEARNERS = ("td3_bc", "iql", "cql", "diffuser", "diffusion_policy")


def of(task: str, *names: str) -> tuple[str, ...]:
    """Names of figures of a task."""
    return tuple(f"{task}.{name}" for name in names)


def locomotion(title: str, task: str, *, tasks: int = 1) -> World:
    """Data of several policies of a robot, or of a lesser one, and returns on D4RL's scale."""
    ours, cloning = of(task, "dfplan", "bc")
    rivals = of(task, *LEARNERS)
    return World(f"{title}, D4RL score", "locomotion", ours, cloning, rivals, 50, share=False, tasks=tasks)


def maze(title: str, kind: str, task: str = "maze2d-large") -> World:
    """Planned actions in a maze, D4RL's score."""
    ours, cloning, rival = of(task, f"actions{kind}", f"cloning{kind}", "grid")
    return World(title, "maze_scores", ours, cloning, (rival,), 200, share=False)


WORLDS = (
    maze("Maze2D large, resynthesised data, D4RL score", ""),
    maze("Maze2D large, data as collected", "_collected"),
    World("PushT, people's demonstrations, success %", "pusht", "success", "bc_success", (), 100),
    World("Meta-World, ten tasks, success %", "metaworld", *of("mean", "dfplan", "bc"), ("mean.expert",), 50, tasks=10),
    World(
        "Meta-World, three tasks done in two ways",
        "metaworld",
        *of("mean-multimodal", "dfplan", "bc"),
        ("mean-multimodal.expert",),
        50,
        tasks=3,
    ),
    locomotion("Hopper, mixed data", "hopper-mixed"),
    locomotion("Walker2d, mixed data", "walker2d-mixed"),
    locomotion("HalfCheetah, mixed data", "halfcheetah-mixed"),
    locomotion("Hopper, Walker2d, HalfCheetah, mixed and medium data, mean", "mean", tasks=6),
    World(
        "Hands, four tasks, mixed data, success %",
        "adroit",
        *of("mean-mixed", "dfplan", "bc"),
        of("mean-mixed", "diffusion_policy"),
        50,
        tasks=4,
    ),
    World("FetchPush, success %", "fetch", *of("push", "dfplan", "bc"), of("push", "diffusion_policy"), 100),
    World(
        "FetchPickAndPlace, success %",
        "fetch",
        *of("pick-and-place", "dfplan", "bc"),
        of("pick-and-place", "diffusion_policy"),
        100,
    ),
    World("Pendulum, return", "any_robot", *of("pendulum", "dfplan", "bc"), (), 100, share=False),
    World("Reacher, return", "any_robot", *of("reacher", "dfplan", "bc"), (), 100, share=False),
)


def told(figure: dict[str, Any], *, share: bool) -> str:
    """A mean with its interval."""
    factor = 100 if share else 1
    digits = 1 if not share and abs(figure["mean"]) < 100 else 0
    mean, low, high = (f"{factor * figure[name]:.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def stands(ours: dict[str, Any], rivals: list[dict[str, Any]]) -> str:
    """How ours stands to the best rival: ahead or behind where their intervals are apart."""
    best = max(rivals, key=lambda each: each["mean"])
    if ours["low"] > best["high"]:
        return "ahead"
    return "**behind**" if ours["high"] < best["low"] else "tie"


def table() -> Iterator[str]:
    """One row a world."""
    yield from head("mean [95 %]", "dfplan", "behaviour cloning", "best other", "dfplan is", "trainings")
    for world in WORLDS:
        figures = json.loads((HERE / world.folder / "summary.json").read_text())
        ours, cloning = figures[world.ours], figures[world.cloning]
        others = {name: figures[name] for name in world.rivals if name in figures}
        best = max(others, key=lambda name: others[name]["mean"], default=None)
        trainings = ours["n"] / world.episodes / world.tasks
        yield row(
            f"[{world.title}](benchmarks/{world.folder}/README.md)",
            told(ours, share=world.share),
            told(cloning, share=world.share),
            f"{told(others[best], share=world.share)}, {NAMES[best.rsplit('.', 1)[-1]]}" if best else "–",
            stands(ours, [cloning, *others.values()]),
            f"{trainings:.0f}",
        )


def pages() -> dict[Path, str]:
    """The README with its table."""
    return {README: between_marks(README.read_text(), "\n".join(table()), begin=BEGIN, end=END)}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

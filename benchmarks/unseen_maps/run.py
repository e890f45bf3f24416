"""How well does a planner find its way in mazes that it has never seen, told their map or not."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from bound import bound_returns
from frame import Benchmark, Named
from records import Record, between_marks, evaluate, load, newest, row, source
from worlds import EPISODE_SEED, train

from dfplan.cli.build import find_weights
from dfplan.cli.folders import bundled_weights
from dfplan.domains.find import find_domain, find_drawn
from dfplan.domains.maze.random_layouts import HELD_OUT
from dfplan.evaluation.metrics import mean_interval, wilson_interval
from dfplan.models.bundle import load_bundle

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/unseen_maps/run.py -->", "<!-- end of measured -->"
SIZES = {"medium": ("random", 100), "large": ("random-large", 50)}  # how layouts are named, and how many
TRAINED = ("env=maze2d", "layout=random-large:0-63", "training.num_steps=5000", "resynthesis.num_steps=800000")
ROWS = {
    "map": ("planner=map",),
    "choice": ("planner.map=told", "planner.guidance.method=chosen"),
    "none": (),
    "grid": ("planner=map", "agent=grid"),
}
SAID = {
    "map": "dfplan, told the map",
    "choice": "the same, but the map only chooses among 16 whole plans",
    "none": "the same weights, not told the map",
    "grid": "shortest path on the map, no network",
}
TIMED_LAYOUTS, TIMED_EPISODES = 5, 3  # of the comparison with a known maze, whose weights come with dfplan


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("sizes", nargs="*", default=list(SIZES), help="medium, large, times; none = the first two")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--layouts", type=int, help="how many, rather than 100 and 50")
    parser.add_argument("--first", type=int, default=HELD_OUT, help="seed of the first: below 10,000 to tune")
    parser.add_argument(
        "--many", type=Path, metavar="FOLDER", help="weights of many mazes, trained there unless they are"
    )


def results(arguments: argparse.Namespace) -> Named:
    """A record a size, and one of the times."""
    weights = bundled_weights() / "maze2d-large"
    if arguments.many is not None:
        weights = arguments.many
        if not (weights / "model").exists():
            train(weights, [*TRAINED, "seed=0"])
    for size in arguments.sizes:
        yield size, times(weights, arguments) if size == "times" else of_size(size, weights, arguments)


def of_size(size: str, weights: Path, arguments: argparse.Namespace) -> Record:
    """All rows, in the same episodes of the same layouts."""
    kind, usual = SIZES[size]
    layouts = [f"{kind}:{arguments.first + number}" for number in range(arguments.layouts or usual)]
    bounds = np.array([bound(layout, arguments) for layout in layouts])
    rows = {name: of_row(layouts, bounds, (*ROWS[name], f"weights={weights}"), arguments) for name in arguments.rows}
    figures = {f"{size}.{name}": found["success"] for name, found in rows.items() if name != "map"}
    if "grid" in rows:
        figures[f"{size}.grid_return_share"] = rows["grid"]["return_share"]
    if "map" in rows:
        figures |= {f"{size}.success": rows["map"]["success"], f"{size}.return_share": rows["map"]["return_share"]}
    return {
        "size": size,
        "question": "told the map of a maze that it has never seen, how often does a planner reach goals, how soon?",
        "trained_on": load_bundle(find_weights(str(weights), env_name=""))[1]["env"],
        "layouts": [layouts[0], layouts[-1]],
        "episodes_a_layout": arguments.episodes,
        "bound": bounds.round(2).tolist(),
        "rows": rows,
        "figures": figures,
    }


def bound(layout: str, arguments: argparse.Namespace) -> np.ndarray:
    """What no driver can beat in the episodes of a layout, ``(episodes,)``, however much it is trained there."""
    drawn = find_drawn("maze2d", layout=layout)
    assert drawn is not None
    domain: Any = find_domain(drawn.env_id)
    with domain.protocol(goal="random").begin(range(arguments.episodes), seed=arguments.seed) as running:
        return bound_returns(
            running.begun.observations,
            running.begun.goals,
            walls=domain.maze.walls,
            goal_radius=domain.maze.goal_radius,
            num_steps=domain.spec.episode_steps,
        )


def of_row(
    layouts: Sequence[str], bounds: np.ndarray, words: Sequence[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    """One way to plan in all layouts; intervals are over layouts, of success over episodes."""
    asked = (f"n_episodes={arguments.episodes}", f"seed={arguments.seed}", "goal=random", "env=maze2d")
    records = [checked(evaluate([*asked, f"layout={layout}", *words])) for layout in layouts]
    returns = np.array([[episode["raw_return"] for episode in record["episodes"]] for record in records])
    success = np.array([[episode["success"] for episode in record["episodes"]] for record in records])
    return {
        "options": [word for word in words if not word.startswith("weights=")],
        "success": vars(wilson_interval(success.ravel())) | {"n": success.size},
        "return_share": vars(mean_interval(returns.sum(axis=1) / bounds.sum(axis=1))) | {"n": len(layouts)},
        "layouts_without_failure": int(success.all(axis=1).sum()),
        "failures": [layout for layout, each in zip(layouts, success, strict=True) if not each.all()],
        "returns": returns.tolist(),
        "evaluations": float(np.mean([record["plan_network"]["evaluations"] or 0 for record in records])),
        "weights": records[0]["weights"],
    }


def times(weights: Path, arguments: argparse.Namespace) -> Record:
    """Seconds of a plan, one environment at a time, in turns: layouts never seen and told, a maze that is known."""
    asked = (f"n_episodes={TIMED_EPISODES}", "n_envs=1", "goal=random")
    seconds: dict[str, list[float]] = {}
    used: dict[str, Any] = {}
    for number in range(TIMED_LAYOUTS):
        for size, (kind, _) in SIZES.items():
            unseen = ("env=maze2d", f"layout={kind}:{arguments.first + number}", f"weights={weights}")
            turns = {
                size: (*unseen, "planner=map"),
                f"{size}.grid": (*unseen, "planner=map", "agent=grid"),
                f"{size}.known": (f"env=maze2d-{size}",),
            }
            for name, words in turns.items():
                record = checked(evaluate([*words, *asked, f"seed={arguments.seed + number}"]))
                seconds.setdefault(name, []).append(record["plan_seconds"]["p50"])
                used[name] = record["weights"]
    figures = {f"{name}.plan_seconds": float(np.median(each)) for name, each in seconds.items()}
    for size in SIZES:
        figures[f"{size}.plan_time_ratio"] = figures[f"{size}.plan_seconds"] / figures[f"{size}.known.plan_seconds"]
    return {"question": "how much longer does a plan take?", "medians": seconds, "weights": used, "figures": figures}


def checked(record: Record | None) -> Record:
    """A record that is one."""
    if record is None:
        raise SystemExit(1)
    return record


def pages() -> dict[Path, str]:
    """The figures, and the README with their tables."""
    records = load(HERE / "results")
    # Of each size and weights the newest of each row; those of many mazes last, so that figures are theirs.
    found: dict[tuple[str, str], list[Record]] = {}
    for each in reversed([record for record in records if "rows" in record]):
        found.setdefault((each["trained_on"], each["size"]), []).append(each)
    parts = [found[key] for key in sorted(found, key=lambda key: ("random" in key[0], list(SIZES).index(key[1])))]
    timed = newest(records, "medians")
    measured = [*(record for part in parts for record in part), *([timed] if timed else [])]
    figures = {name: value for record in measured for name, value in record["figures"].items()}
    lines = [*(line for part in parts for line in table(part)), *(timing(timed) if timed else [])]
    text = "\n".join(lines) or "Nothing is measured yet."
    readme = between_marks(README.read_text(), text, begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures, indent=1) + "\n", README: readme}


def table(records: Sequence[Record]) -> list[str]:
    """A line for each of the ways to plan, of records of the same layouts, the oldest first."""
    (first, last), newest_rows = records[-1]["layouts"], {}
    for number, record in enumerate(records):
        newest_rows |= {name: (number, found) for name, found in record["rows"].items()}
    lines = [
        f"**{records[-1]['size']}**, `layout={first}` to `{last}`, {records[-1]['episodes_a_layout']} episodes each, "
        f"weights of `{records[-1]['trained_on']}`:",
        "",
        row("", "success % [95 %]", "return, % of the bound [95 %]", "layouts without a failure"),
        "|---|---:|---:|---:|",
    ]
    for name in (name for name in ROWS if name in newest_rows):
        found = newest_rows[name][1]
        shares = [percent(found[key]) for key in ("success", "return_share")]
        lines.append(row(SAID[name], *shares, f"{found['layouts_without_failure']} of {len(found['returns'])}"))
    used = sorted({number for number, _ in newest_rows.values()})
    return [*lines, "", "; ".join(source(records[number]) for number in used), ""]


def percent(found: Mapping[str, float]) -> str:
    """A share with its interval."""
    mean, low, high = (100 * found[key] for key in ("mean", "low", "high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def timing(record: Mapping[str, Any]) -> list[str]:
    """How long a plan takes."""
    found = record["figures"]
    lines = [row("milliseconds a plan, median", *SIZES), "|---|---:|---:|"]
    said = {
        "": "never seen, told the map",
        ".known": "known maze, its own weights",
        ".grid": "shortest path on the map",
    }
    for kind, words in said.items():
        lines.append(row(words, *(f"{1000 * found[f'{size}{kind}.plan_seconds']:.0f}" for size in SIZES)))
    lines.append(row("ratio", *(f"{found[f'{size}.plan_time_ratio']:.2f}" for size in SIZES)))
    return [*lines, "", source(record)]


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=3, seed=EPISODE_SEED, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

"""Where does a tree of plans decide? Plans of equal CPU time, one an episode, driven to its end."""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import MARGIN, Case, dead_ends, drive, hidden_doors, routes

from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.grid import GridPlanner
from dfplan.models import load_forcing_model
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings, TreePlanner, TreeSettings
from dfplan.planner.choice import drafts_of
from dfplan.planner.draft import Draft
from dfplan.types import Plan

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, figures_of, load, newest_of_tasks, row, source
from worlds import EPISODE_SEED, successes

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- table: written by benchmarks/tree/run.py -->", "<!-- end of table -->"
MAZE = "large"
# Plain plans all go on to their ends: by default they end once half of them arrive, through whatever, and half are let
# go by what they look like after two tokens, which where ways lead astray are those that explore.
ALL = {"early_stop_fraction": 1.0, "halve_after": None}
BLIND = {"cfg_scale": 0.0}


class PlainPlanner(Planner):
    """Remembers what it chose from."""

    def sample(self, belief: Any, **asked: Any) -> Any:
        """See :meth:`Planner.sample`."""
        self.asked, self.candidates = belief, super().sample(belief, **asked)
        return self.candidates

    def made(self) -> Draft:
        """All candidates."""
        return drafts_of(self, self.candidates, self.asked.observations, self.asked.goals)[0]


class SearchPlanner(TreePlanner):
    """Remembers its tree."""

    def grow(self, belief: Any, **asked: Any) -> Any:
        """See :meth:`TreePlanner.grow`."""
        self.trees = super().grow(belief, **asked)
        return self.trees

    def made(self) -> Draft:
        """All nodes."""
        return self.trees.plans[0].draft(0)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to plan; its numbers were chosen on seed 5000.

    Attributes:
        says: what it is, for the table.
        settings: of the planner.
        guidance: likewise.
        tree: what nodes are; None is no tree.
        nodes: of a tree.
        told: whether a graph knows of the door; None is no graph.
    """

    says: str
    settings: dict[str, Any] = field(default_factory=dict)
    guidance: dict[str, Any] = field(default_factory=dict)
    tree: dict[str, Any] | None = None
    nodes: int = 0
    told: bool | None = None

    def planner(self, model: Any, case: Case) -> Any:
        """For one case."""
        if self.told is not None:
            support = case.constraints.restrict(model.support, margin=MARGIN) if self.told else model.support
            return GridPlanner(support, dynamics=model.dynamics, goal_radius=model.goal_radius)
        guidance = GuidanceSettings(**{"method": "chosen", **self.guidance}).with_constraints(case.constraints)
        settings = PlannerSettings(guidance=guidance, **self.settings)
        if self.tree is None:
            return PlainPlanner(model, settings=settings)
        return SearchPlanner(model, settings=settings, tree=TreeSettings(**self.tree), max_nodes=self.nodes)


GRAPH = Method(says="graph: the shortest way over visited cells", told=True)
FAMILIES: dict[str, dict[str, Method]] = {
    "hidden_doors": {
        "tree": Method(says="tree, half of the siblings blind", tree={"num_blind": 2}, nodes=96),
        "best_of_n": Method(says="best of 100, goal not shown", settings={"num_candidates": 100, **BLIND, **ALL}),
        "guidance": Method(
            says="best of 3, guided to the goal and off the door",
            settings={"num_candidates": 3, **BLIND, **ALL},
            guidance={"distance": 1.0, "constraints": 30.0},
        ),
        "graph": GRAPH,
        "graph.untold": Method(says="graph that is not told of the door", told=False),
        "routes": Method(says="the default: parts, ways around by the map", guidance={"method": "routes"}),
    },
    "dead_ends": {
        "tree": Method(says="tree", settings=BLIND, tree={}, nodes=80),
        "best_of_n": Method(says="best of 90", settings={"num_candidates": 90, **BLIND, **ALL}),
        "guidance": Method(
            says="best of 3, guided to the goal",
            settings={"num_candidates": 3, **BLIND, **ALL},
            guidance={"distance": 1.0},
        ),
        "graph": GRAPH,
    },
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--methods", nargs="+", default=None, help="of each family (default: every one)")


def results(arguments: argparse.Namespace) -> Named:
    """Every method on the same pairs, in turn, so that what slows the machine down slows all of them."""
    torch.set_num_threads(arguments.threads)
    maze, folder = load_maze(f"maze2d-{MAZE}-v1"), bundled_weights() / f"maze2d-{MAZE}"
    model = load_forcing_model(folder)
    for family in arguments.families:
        asked = {"seed": arguments.seed, "count": arguments.episodes}
        cases = dead_ends(maze, **asked) if family == "dead_ends" else hidden_doors(maze, model.support, **asked)
        methods = {name: each for name, each in FAMILIES[family].items() if name in (arguments.methods or [name])}
        made = [
            {
                name: plan_one(method.planner(model, case), case, horizon=maze.max_episode_steps)
                for name, method in methods.items()
            }
            for case in cases
        ]
        rows: dict[str, Any] = {}
        for name, method in methods.items():
            driven = drive(cases, [each[name][0] for each in made], model=model, maze=maze)
            found = [each[name][1] | episode for each, episode in zip(made, driven, strict=True)]
            rows[name] = {"method": vars(method), "cases": found}
            print(line_of(family, method.says, found), flush=True)
        yield (
            family,
            {
                "question": "where does a tree of plans decide, at equal CPU time?",
                "task": family,
                "seed": arguments.seed,
                "threads": arguments.threads,
                "weights": {MAZE: describe_weights(folder, model.metadata)},
                "figures": figures_of_rows(family, rows),
                "rows": rows,
            },
        )


def plan_one(planner: Any, case: Case, *, horizon: int) -> tuple[Plan, dict[str, Any]]:
    """A plan from rest, and what it took."""
    start, goal = np.append(case.start, [0.0, 0.0])[None], case.goal[None]
    began = time.process_time()
    plan = planner.plan(start, goal, horizon=horizon, generators=[torch.Generator().manual_seed(case.number)])
    facts: dict[str, Any] = {
        "number": case.number,
        "cpu_ms": 1000 * (time.process_time() - began),
        "arrives": bool(plan.arrival[0] <= plan.num_steps[0]),
        "evaluations": None if plan.evaluations is None else int(plan.evaluations[0]),
    }
    if isinstance(planner, GridPlanner) or planner.plans_parts:
        return plan, facts
    made = planner.made()
    ways = routes(
        start[:, :2].repeat(len(made.states), axis=0),
        made.states[..., :2],
        num_steps=np.minimum(made.arrival, made.num_steps),
        steps_per_point=made.steps_per_point,
    )
    return plan, facts | {"plans": len(ways), "routes": len(set(ways))}


def figures_of_rows(family: str, rows: dict[str, Any]) -> dict[str, Any]:
    """Success, median CPU time and, where a network made several plans, their diversity."""
    found: dict[str, Any] = {}
    for method, each in rows.items():
        name, cases = f"{family}.{method}", each["cases"]
        found[name] = successes(np.array([case["success"] for case in cases]))
        found[f"{name}.cpu_ms"] = float(np.median([case["cpu_ms"] for case in cases]))
        if "routes" in cases[0]:
            found[f"{name}.routes_per_1000_evaluations"] = routes_per_1000(cases)
    return found


def routes_per_1000(cases: list[dict[str, Any]]) -> float:
    """Distinct routes among the plans of one case, per 1,000 evaluations of the network, over all cases."""
    return 1000 * sum(case["routes"] for case in cases) / sum(case["evaluations"] for case in cases)


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records = load(HERE / "results")
    text = table(list(newest_of_tasks(records).values())) if records else "Nothing is measured yet."
    readme = between_marks(README.read_text(), text, begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures_of(records), indent=1) + "\n", README: readme}


def table(records: list[Record]) -> str:
    """A line for each method of each family."""
    names = ("family", "method", "CPU ms", "evaluations", "routes per 1,000", "plan arrives %", "success %", "step")
    lines = [row(*names), "|---|---|---:|---:|---:|---:|---:|---:|"]
    for record in records:
        for each in record["rows"].values():
            lines.append(line_of(record["task"], each["method"]["says"], each["cases"]))
    said = [
        f"{record['figures'][record['task'] + '.tree']['n']} pairs of seed {record['seed']}: {source(record)}"
        for record in records
    ]
    return "\n".join([*lines, "", "  \n".join(said)])


def line_of(family: str, says: str, cases: list[dict[str, Any]]) -> str:
    """One line of the table."""
    success = successes(np.array([case["success"] for case in cases]))
    mean, low, high = (100 * success[key] for key in ("mean", "low", "high"))
    touches = [case["first_touch"] for case in cases if case["success"]]
    return row(
        family.replace("_", " "),
        says,
        f"{np.median([case['cpu_ms'] for case in cases]):.0f}",
        "–" if cases[0]["evaluations"] is None else f"{np.median([case['evaluations'] for case in cases]):.0f}",
        f"{routes_per_1000(cases):.1f}" if "routes" in cases[0] else "–",
        f"{100 * np.mean([case['arrives'] for case in cases]):.0f}",
        f"{mean:.0f} [{low:.0f}, {high:.0f}]",
        f"{np.mean(touches):.0f}" if touches else "–",
    )


BENCHMARK = Benchmark(
    says=__doc__,
    folder=HERE,
    measure=results,
    options=options,
    episodes=100,
    seed=EPISODE_SEED,
    threads=1,
    pages=pages,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

"""Puts the page of a run together and writes it beside the results."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.cli.report.command import command_of
from dfplan.cli.report.views import Seen, scene_of, view_agent
from dfplan.domain import Domain
from dfplan.evaluation.bench_tables import bench_rows
from dfplan.evaluation.report import constraint_rows, network_rows, planning_rows, score_rows, title_of
from dfplan.evaluation.report_episodes import SCORES, choose_episodes, score_name
from dfplan.files import write_whole
from dfplan.protocol import EvaluationProtocol
from dfplan.viz.page import Content, Listing, render_page
from dfplan.viz.page.charts import draw_agents, draw_earned, draw_profiles, draw_scores, draw_times
from dfplan.viz.page.drawn import drawn_scene

REPORT = "report.html"
MEAN_COLUMNS = ("measure", "mean", "95 % interval", "")
ALL_ROLLOUTS, ALL_AGENTS = "rollouts.png", "bench.png"
Rows = Mapping[str, tuple[str, str, float, int]]


def report_evaluation(
    record: Mapping[str, Any],
    *,
    folder: Path,
    domain: Domain,
    protocol: EvaluationProtocol,
    seen: Seen,
    say: Callable[[str], None],
) -> Path:
    """Write the page of an evaluation; ``say`` hears what is missing on it.

    Raises:
        UserError: it cannot be written.
    """
    rollouts, planner = seen.rollouts, seen.built.planner
    charts = _score_charts(record)
    charts["return so far, of all episodes"] = draw_earned(rollouts.rewards, choose_episodes(seen.measures.compared))
    if rollouts.plans.seconds:
        charts["how long a plan takes"] = draw_times({"": rollouts.plans.seconds})
    content = _of_evaluation(
        record,
        protocol.rows,
        folder=folder,
        charts=charts,
        agents=[view_agent(seen, domain, protocol, say=say)],
        scene=drawn_scene(scene_of(protocol), None if planner is None else planner.settings.guidance),
    )
    return _write(content, folder)


def report_bench(
    record: Mapping[str, Any],
    *,
    folder: Path,
    domain: Domain,
    protocol: EvaluationProtocol,
    seen: Sequence[Seen],
    say: Callable[[str], None],
) -> Path:
    """Write the page of a comparison; see :func:`report_evaluation`."""
    views = [view_agent(each, domain, protocol, say=say) for each in seen]
    content = _of_bench(record, protocol.rows, folder=folder, agents=views, scene=drawn_scene(scene_of(protocol)))
    return _write(content, folder)


def report_record(record: Mapping[str, Any], rows: Rows, *, folder: Path) -> str:
    """The page of what a run has left: no episodes and no plans, which are not kept.

    Raises:
        KeyError: it is no record of an evaluation or a comparison; TypeError and ValueError likewise.
    """
    if "agents" in record:
        return render_page(_of_bench(record, rows, folder=folder))
    return render_page(_of_evaluation(record, rows, folder=folder, charts=_score_charts(record)))


def _write(content: Content, folder: Path) -> Path:
    path = folder / REPORT
    write_whole(path, render_page(content).encode())
    return path


def _of_evaluation(record: Mapping[str, Any], rows: Rows, *, folder: Path, **seen: Any) -> Content:
    command, note = command_of("eval", record["config"])
    kept = constraint_rows(record)
    return Content(
        title=title_of(record),
        facts=_facts(record, ("env_id", "planner", "controller", "device", "n_envs", "seed")),
        scores=Listing(MEAN_COLUMNS, score_rows(record, rows), f"intervals: {record['interval']}"),
        times=_times(record),
        constraints=Listing(("what had to be kept", "", "", ""), kept) if kept else None,
        config=record["config"],
        circumstances=_circumstances(record),
        command=command,
        command_note=note,
        picture=_picture(folder / ALL_ROLLOUTS),
        **seen,
    )


def _of_bench(record: Mapping[str, Any], rows: Rows, *, folder: Path, **seen: Any) -> Content:
    command, note = command_of("bench", record["config"])
    agents, names = record["agents"], [each["name"] for each in record["agents"]]
    scored, spent = bench_rows(record, rows, agents)
    measure = next(name for name in SCORES if name in agents[0]["metrics"])
    batch = min(agents[0]["cost"], key=int)
    times = {each["name"]: each["cost"][batch]["plan_samples"] for each in agents}
    charts = {
        f"{SCORES[measure]} of agents": draw_agents(agents, measure=measure, name=SCORES[measure]),
        "how many episodes score more": draw_profiles(agents, name=SCORES[measure]),
    }
    if any(times.values()):
        charts["how long a plan takes"] = draw_times(times)
    notes = record["notes"]
    return Content(
        title=title_of(record),
        facts=[*_facts(record, ("env_id", "device", "threads", "n_envs", "seed")), ("agents", ", ".join(names))],
        scores=Listing(("", *names), scored, f"{notes['interval']}; {notes['against_first']}"),
        times=Listing(("", *names), spent, f"{notes['plan_seconds']}; {notes['peak_bytes']}"),
        config=record["config"],
        circumstances=_circumstances(record),
        command=command,
        command_note=note,
        charts=charts,
        picture=_picture(folder / ALL_AGENTS),
        **seen,
    )


def _score_charts(record: Mapping[str, Any]) -> dict[str, str]:
    """Every episode's score, of what a record says of episodes."""
    name = score_name(record["episodes"])
    if name is None:
        return {}
    scores = np.array([each[name] for each in record["episodes"]], float)
    return {f"{SCORES[name]} of every episode": draw_scores(scores, record["metrics"][name], name=SCORES[name])}


def _times(record: Mapping[str, Any]) -> Listing:
    """Percentiles of a plan's seconds, and what else it took."""
    seconds, rows = record["plan_seconds"], [list(each) for each in network_rows(record)]
    if planning_rows(record):
        each = f"each of up to {seconds['batch']} made at once; {seconds['plans']} plans"
        shares = [name for name in ("p50", "p95", "p99") if name in seconds]
        rows = [*([f"a plan, {name}", f"{1000 * seconds[name]:.1f} ms", "", each] for name in shares), *rows]
    rows.append(["all episodes", f"{record['wall_seconds']:.1f} s", "", f"{record['n_envs']} side by side"])
    return Listing(("", "", "", ""), rows)


def _facts(record: Mapping[str, Any], names: Sequence[str]) -> list[tuple[str, str]]:
    labels = {"env_id": "environment", "n_envs": "side by side"}
    return [(labels.get(name, name), str(record[name])) for name in names if record.get(name) is not None]


def _circumstances(record: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: record.get(name) for name in ("commit", "date", "machine", "versions", "load_average_before")}
    weights = {f"weights: {name}": value for name, value in record.get("weights", {}).items()}
    return {name: value for name, value in found.items() if value is not None} | weights


def _picture(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None

"""The record of a comparison as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from dfplan.evaluation.report import title_of

Rows = Mapping[str, tuple[str, str, float, int]]
LABEL_WIDTH, AGENT_WIDTH = 24, 26  # what a row's name and an agent need in characters


def render_bench(record: Mapping[str, Any], rows: Rows, *, width: int) -> list[Table]:
    """Tables with a row a measure and a column an agent, as many agents in each as fit into ``width`` characters.

    For ``rows`` see :class:`~dfplan.protocol.EvaluationProtocol`.
    """
    agents, count = record["agents"], max(1, (width - LABEL_WIDTH) // AGENT_WIDTH)
    return [_table(record, rows, agents[first : first + count]) for first in range(0, len(agents), count)]


def _table(record: Mapping[str, Any], rows: Rows, agents: list[Mapping[str, Any]]) -> Table:
    table = Table(
        title=title_of(record),
        caption="mean [95 %]; differences are of the same episodes; plans from the start of an episode",
    )
    table.add_column("")
    for agent in agents:
        table.add_column(agent["name"], justify="right")
    scores, costs = bench_rows(record, rows, agents)
    for row in scores:
        table.add_row(*row)
    table.add_section()
    for row in costs:
        table.add_row(*row)
    return table


def bench_rows(
    record: Mapping[str, Any], rows: Rows, agents: Sequence[Mapping[str, Any]]
) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of what agents score, and of what they cost: a label, and a cell for each of ``agents`` of the record."""
    scores = [_scores(each, rows, first=record["agents"][0]["name"]) for each in agents]
    parts = scores, [_costs(each) for each in agents]
    scored, spent = ([[label, *(column[label] for column in part)] for label in part[0]] for part in parts)
    return scored, spent


def _scores(agent: Mapping[str, Any], rows: Rows, *, first: str) -> dict[str, str]:
    metrics, against = agent["metrics"], agent["against_first"]
    return {
        **{
            f"{label} %" if factor == 100 else label: interval(metrics[name], factor=factor, digits=digits)
            for name, (label, _, factor, digits) in rows.items()
            if name in metrics
        },
        "score's interquartile mean": interval(agent["interquartile_mean"]),
        f"above {first}": interval(against["difference"], sign="+") if against else "",
        f"P(better than {first})": interval(against["probability_of_improvement"], digits=2) if against else "",
    }


def _costs(agent: Mapping[str, Any]) -> dict[str, str]:
    rows = {}
    for batch, cost in agent["cost"].items():
        beside = "one alone" if batch == "1" else f"{batch} at once"
        seconds = cost["plan_seconds"]
        shown = " / ".join(number(seconds[name], factor=1000) for name in ("p50", "p95", "p99"))
        rows[f"plan, ms p50/95/99\n  {beside}"] = shown
        rows[f"plans/s, {beside}"] = number(cost["plans_per_second"])
        rows[f"decisions/s, {beside}"] = number(cost["decisions_per_second"], digits=0)
        rows[f"peak MB, {beside}"] = number(cost["peak_bytes"] / 2**20, digits=0)
    parameters = agent["num_parameters"]
    return rows | {
        "network calls a plan": number(agent["plan_network"]["evaluations"], digits=0),
        "plans an episode": number(agent["plans_per_episode"]),
        "parameters": "–" if parameters is None else f"{parameters:,}",
    }


def number(value: float | None, *, factor: float = 1.0, digits: int = 1) -> str:
    """A value, or a dash where there is none."""
    return "–" if value is None else f"{factor * value:.{digits}f}"


def interval(estimate: Mapping[str, float | None], *, factor: float = 1.0, digits: int = 1, sign: str = "") -> str:
    """``mean [low, high]`` of an estimate."""
    mean, low, high = (estimate[name] for name in ("mean", "low", "high"))
    if mean is None:
        return "–"
    shown = f"{factor * mean:{sign}.{digits}f}"
    if low is None or high is None:
        return shown
    return f"{shown} [{factor * low:{sign}.{digits}f}, {factor * high:{sign}.{digits}f}]"

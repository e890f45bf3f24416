"""The report of an evaluation: a results file with all that is needed to repeat it, and a table for the terminal."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from dfplan.errors import counted
from dfplan.evaluation.metrics import INTERVAL, Estimate
from dfplan.evaluation.rollout import Rollouts
from dfplan.files import sealed_json, write_whole
from dfplan.protocol import Measures
from dfplan.types import Verdict

PACKAGES = ("dfplan", "torch", "numpy", "mujoco", "gymnasium")
RECORD_SEAL = "record_sha256"
GIT_PROGRAMS = ("/usr/bin/git", "/usr/local/bin/git", "/opt/homebrew/bin/git", "C:/Program Files/Git/cmd/git.exe")


def build_record(
    rollouts: Rollouts,
    measures: Measures,
    *,
    env: str,
    planner: str,
    controller: str,
    device: str,
    config: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
    verdict: Verdict | None = None,
) -> dict[str, Any]:
    """Put an evaluation into one JSON-ready record.

    Args:
        rollouts: what was rolled out.
        measures: what the protocol says of it.
        env: name of the environment.
        planner: name of the planner, such as "causal_transformer".
        controller: what turned plans into actions, such as "tracker".
        device: what the planner ran on, such as "cpu".
        config: the resolved configuration of the run, if there is one.
        weights: which weights the planner has, such as their training seed and checksum.
        verdict: where constraints were given, how well each episode keeps them, on every step that was driven.

    Returns:
        A dict of plain JSON types. Rates are 0 to 1, a value that does not exist is None. ``plan_seconds`` are
        seconds per plan by the clock, those of up to ``batch`` made together shared equally (latency where ``n_envs``
        is 1), and ``an_episode`` the median of those of all plans of an episode. ``plan_network`` are means per plan:
        sequences and tokens that went through the network.
    """
    plan_seconds = _plan_seconds(rollouts)
    return {
        "env": env,
        "env_id": rollouts.env_id,
        "planner": planner,
        "controller": controller,
        "n_episodes": len(rollouts),
        "n_envs": rollouts.num_envs,
        "seed": rollouts.seed,
        **measures.facts,
        "device": device,
        "weights": dict(weights or {}),
        "metrics": {**measures.metrics, "plan_seconds": plan_seconds},
        "plan_seconds": plan_seconds,
        "plan_network": plan_network(rollouts),
        "interval": INTERVAL,
        "wall_seconds": round(rollouts.seconds, 3),
        "observations_outside_data": rollouts.outside_data,
        **({} if verdict is None else {"constraints": _kept(verdict)}),
        **circumstances(),
        "config": dict(config or {}),
        "episodes": measures.episodes,
    }


def circumstances() -> dict[str, Any]:
    """When, by which code and where something was measured."""
    return {
        "commit": find_commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def _kept(verdict: Verdict) -> dict[str, Any]:
    """How many episodes keep what had to be kept, and by the names of what is broken how many break it."""
    names = sorted({name for broken in verdict.broken for name in broken})
    clearance = float(verdict.clearance.min())
    return {
        "kept": int(verdict.kept.sum()),
        "broken": {name: sum(name in broken for broken in verdict.broken) for name in names},
        "least_clearance": clearance if np.isfinite(clearance) else None,
        "waypoints_missed": int(verdict.missed.sum()),
        "top_speed": float(verdict.top_speed.max()),
    }


def plan_network(rollouts: Rollouts) -> dict[str, float | None]:
    """Means per plan of what went through the network."""
    return {
        "evaluations": _mean(rollouts.plans.evaluations),
        "token_evaluations": _mean(rollouts.plans.token_evaluations),
    }


def _mean(values: Sequence[int]) -> float | None:
    return float(np.mean(values)) if values else None


def _plan_seconds(rollouts: Rollouts) -> dict[str, float | int | None]:
    """Wall seconds of one plan for one environment, when ``batch`` of them were planned together, and an episode's."""
    seconds = rollouts.plans.seconds
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]).tolist() if seconds else (None, None, None)
    an_episode = float(np.median(rollouts.plans.episode_seconds)) if seconds else None
    counts = {"batch": rollouts.plans.largest_batch, "plans": len(seconds)}
    return {"p50": p50, "p95": p95, "p99": p99, "an_episode": an_episode, **counts}


def find_commit() -> str:
    """Return the git commit of this code, "-dirty" added if tracked files differ; without git, "v" and the version.

    Of programs only git itself is run, from where systems install it, in an empty environment: not what ``PATH`` leads
    to, nor what the settings of a repository around an installed package name.
    """
    root = Path(__file__).parents[2]
    program = next((each for each in GIT_PROGRAMS if Path(each).is_file()), None)
    if program is None or not (root / ".git").exists():
        return f"v{_version('dfplan')}"
    quiet = {"GIT_OPTIONAL_LOCKS": "0"}  # asking changes nothing
    told = ["--git-dir", str(root / ".git"), "--work-tree", str(root), "-c", "core.fsmonitor=false"]

    def git(*arguments: str) -> str:
        command = [program, *told, *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, cwd=root, env=quiet)
        return answer.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", str(Path(__file__).relative_to(root)))  # else it is another repository
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return f"v{_version('dfplan')}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write_record(record: Mapping[str, Any], *, path: Path) -> Path:
    """Write a record as JSON, whole or not at all; an existing file is replaced only once the new one is complete.

    The last entry of the file, ``record_sha256``, is the SHA-256 of the others; ``dfplan verify`` checks it.

    Raises:
        UserError: if the file cannot be written (no permission, disk full).
    """
    write_whole(path, sealed_json(record, seal=RECORD_SEAL))
    return path


def render_table(record: Mapping[str, Any], rows: Mapping[str, tuple[str, str, float, int]]) -> Table:
    """Lay the metrics of a record out as a table; for ``rows`` see :class:`dfplan.protocol.EvaluationProtocol`."""
    table = Table(title=title_of(record))
    table.add_column("metric")
    table.add_column("mean", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("", style="dim")
    for row in [*score_rows(record, rows), *planning_rows(record), *constraint_rows(record), *network_rows(record)]:
        table.add_row(*row)
    return table


Row = tuple[str, str, str, str]  # label, mean, interval, note


def score_rows(record: Mapping[str, Any], rows: Mapping[str, tuple[str, str, float, int]]) -> list[Row]:
    """The metrics of a record; for ``rows`` see :class:`dfplan.protocol.EvaluationProtocol`."""
    failed = f" ({record['failures']} never touched)" if record.get("failures") else ""
    return [
        (
            label,
            *_format_estimate(Estimate(**record["metrics"][name]), factor=factor, digits=digits),
            note.format(failed=failed),
        )
        for name, (label, note, factor, digits) in rows.items()
        if name in record["metrics"]
    ]


def planning_rows(record: Mapping[str, Any]) -> list[Row]:
    """How long a plan takes; nothing where nothing was planned."""
    seconds = record["plan_seconds"]
    if seconds["p50"] is None:
        return []
    p50, p95 = (f"{1000 * seconds[name]:.1f} ms" for name in ("p50", "p95"))
    rows = [("planning", p50, f"p95 {p95}", f"each, up to {seconds['batch']} at once")]
    if seconds.get("an_episode") is not None:  # results from before it was measured have none
        rows.append(("planning", f"{seconds['an_episode']:.2f} s", "", "an episode, median"))
    return rows


def constraint_rows(record: Mapping[str, Any]) -> list[Row]:
    """What was kept of what had to be; nothing where nothing had to."""
    kept = record.get("constraints")
    if not kept:
        return []
    broken = ", ".join(f"{name} {count}" for name, count in kept["broken"].items())
    share = f"{100 * kept['kept'] / record['n_episodes']:.1f}"
    rows = [("constraints kept", share, "", f"% of what was driven{': broken ' + broken if broken else ''}")]
    if kept["least_clearance"] is not None:
        rows.append(("least clearance", f"{kept['least_clearance']:.2f}", "", "from what is forbidden"))
    rows.append(("way-points missed", f"{kept['waypoints_missed']}", "", "in all episodes"))
    return [*rows, ("top speed", f"{kept['top_speed']:.2f}", "", "units per second")]


def network_rows(record: Mapping[str, Any]) -> list[Row]:
    """What went through the network; nothing where nobody counted."""
    network = record["plan_network"]
    if network["evaluations"] is None:
        return []
    note = f"a plan; {network['token_evaluations']:.0f} tokens"
    return [("network evaluations", f"{network['evaluations']:.0f}", "", note)]


def title_of(record: Mapping[str, Any]) -> str:
    """What was evaluated, for the top of a table."""
    goal = f"{record['goal']} goal, " if "goal" in record else ""
    return f"{record['env']}, {goal}{counted(record['n_episodes'], 'episode')}, seed {record['seed']}"


def _format_estimate(estimate: Estimate, *, factor: float, digits: int) -> tuple[str, str]:
    if estimate.mean is None:
        return "–", "–"
    mean = f"{factor * estimate.mean:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return mean, "–"
    return mean, f"{factor * estimate.low:.{digits}f} … {factor * estimate.high:.{digits}f}"

"""The report of an evaluation: a results file with all that is needed to repeat it, and a table for the terminal."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from dfplan.domains.maze.beginnings import DETOUR_PROTOCOL, START_PROTOCOL
from dfplan.errors import counted
from dfplan.evaluation.metrics import Estimate, mean_interval, summarize
from dfplan.evaluation.rollout import Rollouts
from dfplan.files import sealed_json, write_whole
from dfplan.types import Verdict

PACKAGES = ("dfplan", "torch", "numpy", "mujoco", "gymnasium")
RECORD_SEAL = "record_sha256"
GIT_PROGRAMS = ("/usr/bin/git", "/usr/local/bin/git", "/opt/homebrew/bin/git", "C:/Program Files/Git/cmd/git.exe")


def build_record(
    rollouts: Rollouts,
    *,
    planner: str,
    controller: str,
    device: str,
    config: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
    verdict: Verdict | None = None,
) -> dict[str, Any]:
    """Put an evaluation into one JSON-ready record.

    Args:
        rollouts: what was measured.
        planner: name of the planner, such as "causal_transformer".
        controller: what turned plans into actions, such as "tracker".
        device: what the planner ran on, such as "cpu".
        config: the resolved configuration of the run, if there is one.
        weights: which weights the planner has, such as their training seed and checksum.
        verdict: where constraints were given, how well each episode keeps them, on every step that was driven.

    Returns:
        A dict of plain JSON types. Scores are x 100, ``success_rate`` is 0 to 1, a value that does not exist is None.
        ``first_touch_step`` averages only the episodes that touched the goal; ``failures`` counts the others.
        ``plan_seconds`` are wall seconds per plan, those of up to ``batch`` made together shared equally (latency where
        ``n_envs`` is 1). ``plan_network`` are means per plan: sequences and tokens that went through the network.
    """
    scores = rollouts.scores
    wall_share = _wall_share(rollouts)
    estimates = summarize(scores) | {"planned_wall_share": mean_interval(wall_share[~np.isnan(wall_share)])}
    return {
        "env": re.sub(r"-v\d+$", "", rollouts.env_id),
        "env_id": rollouts.env_id,
        "goal": rollouts.goal,
        "planner": planner,
        "controller": controller,
        "n_episodes": len(rollouts),
        "n_envs": rollouts.num_envs,
        "steps_per_episode": rollouts.rewards.shape[1],
        "seed": rollouts.seed,
        "device": device,
        "weights": dict(weights or {}),
        "metrics": {name: asdict(estimate) for name, estimate in estimates.items()}
        | {"plan_seconds": _plan_seconds(rollouts)},
        "failures": int((~scores.success).sum()),
        "plan_seconds": _plan_seconds(rollouts),
        "plan_network": {
            "evaluations": _mean(rollouts.plan_evaluations),
            "token_evaluations": _mean(rollouts.plan_token_evaluations),
        },
        "interval": "95 %: percentile bootstrap over episodes; Wilson for success_rate",
        "start_protocol": start_protocol(rollouts.goal),
        "wall_seconds": round(rollouts.seconds, 3),
        **({} if verdict is None else {"constraints": _kept(verdict)}),
        **circumstances(),
        "config": dict(config or {}),
        "episodes": _episode_list(rollouts),
    }


def start_protocol(goal: str) -> str:
    """How episodes begin, in words."""
    return DETOUR_PROTOCOL if goal == "detour" else START_PROTOCOL


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


def _wall_share(rollouts: Rollouts) -> np.ndarray:
    """Share of planned points inside walls, ``(episodes,)``; NaN where nothing was planned."""
    planned = rollouts.planned_points > 0
    return np.where(planned, rollouts.planned_points_in_walls / np.maximum(rollouts.planned_points, 1), np.nan)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _plan_seconds(rollouts: Rollouts) -> dict[str, float | int | None]:
    """Wall seconds of one plan for one environment, when ``batch`` of them were planned together."""
    seconds = rollouts.plan_seconds
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]).tolist() if len(seconds) else (None, None, None)
    return {"p50": p50, "p95": p95, "p99": p99, "batch": rollouts.plan_batch, "plans": len(seconds)}


def _episode_list(rollouts: Rollouts) -> list[dict[str, Any]]:
    scores, wall_share = rollouts.scores, _wall_share(rollouts)
    return [
        {
            "start": np.round(rollouts.starts[episode].astype(float), 6).tolist(),
            "goal": np.round(rollouts.goals[episode], 6).tolist(),
            "raw_return": float(scores.raw_return[episode]),
            "normalized_return": float(scores.normalized_return[episode]),
            "latched_normalized_return": float(scores.latched_normalized_return[episode]),
            "first_touch_step": int(scores.first_touch_step[episode]) if scores.success[episode] else None,
            "success": bool(scores.success[episode]),
            "planned_wall_share": None if np.isnan(wall_share[episode]) else round(float(wall_share[episode]), 6),
        }
        for episode in range(len(rollouts))
    ]


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


def render_table(record: Mapping[str, Any]) -> Table:
    """Lay the metrics of a record out as a rich table."""
    table = Table(
        title=f"{record['env']}, {record['goal']} goal, {counted(record['n_episodes'], 'episode')}, "
        f"seed {record['seed']}"
    )
    table.add_column("metric")
    table.add_column("mean", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("", style="dim")
    failures = record["failures"]
    untouched = f" ({failures} never touched)" if failures else ""
    rows = {
        "raw_return": ("return", "sum of rewards", 1, 1),
        "normalized_return": ("normalised return", "D4RL x 100: arrive and stay", 1, 1),
        "latched_normalized_return": ("latched return", "a touch counts as staying", 1, 1),
        "success_rate": ("success", "% that touched the goal", 100, 1),
        "first_touch_step": ("first touch", f"step{untouched}", 1, 1),
        "planned_wall_share": ("plan in walls", "% of planned points", 100, 2),
    }
    for name, (label, note, factor, digits) in rows.items():
        estimate = Estimate(**record["metrics"][name])
        table.add_row(label, *_format_estimate(estimate, factor=factor, digits=digits), note)
    seconds = record["plan_seconds"]
    if seconds["p50"] is not None:
        table.add_row(
            "planning",
            f"{1000 * seconds['p50']:.1f} ms",
            f"p95 {1000 * seconds['p95']:.1f} ms",
            f"each, up to {seconds['batch']} at once",
        )
    if kept := record.get("constraints"):
        broken = ", ".join(f"{name} {count}" for name, count in kept["broken"].items())
        share = f"{100 * kept['kept'] / record['n_episodes']:.1f}"
        table.add_row("constraints kept", share, "", f"% of what was driven{': broken ' + broken if broken else ''}")
        if kept["least_clearance"] is not None:
            table.add_row("least clearance", f"{kept['least_clearance']:.2f}", "", "from what is forbidden")
        table.add_row("way-points missed", f"{kept['waypoints_missed']}", "", "in all episodes")
        table.add_row("top speed", f"{kept['top_speed']:.2f}", "", "units per second")
    network = record["plan_network"]
    if network["evaluations"] is not None:
        note = f"a plan; {network['token_evaluations']:.0f} tokens"
        table.add_row("network evaluations", f"{network['evaluations']:.0f}", "", note)
    return table


def _format_estimate(estimate: Estimate, *, factor: float, digits: int) -> tuple[str, str]:
    if estimate.mean is None:
        return "–", "–"
    mean = f"{factor * estimate.mean:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return mean, "–"
    return mean, f"{factor * estimate.low:.{digits}f} … {factor * estimate.high:.{digits}f}"

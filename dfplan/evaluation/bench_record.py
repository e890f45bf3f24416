"""The record of agents that were measured side by side: scores, paired differences, time and memory."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from dfplan.evaluation.memory import METHOD
from dfplan.evaluation.metrics import EpisodeScores, summarize
from dfplan.evaluation.report import circumstances, start_protocol
from dfplan.evaluation.rollout import Rollouts
from dfplan.evaluation.statistics import (
    interquartile_mean,
    probability_of_improvement,
    stratified_bootstrap,
    stratified_mean,
)
from dfplan.evaluation.timing import Cost, Measured

KEPT_SAMPLES = 200  # of the seconds of a plan, for pictures
NOTES = {
    "interval": "95 %: percentile bootstrap over episodes; Wilson for success_rate",
    "interquartile_mean": "of normalized_return over episodes: a quarter of them cut off at either end",
    "against_first": "of normalized_return, this agent against the first one of the list, both on the same episodes: "
    "mean of the differences; probability_of_improvement compares every pair of episodes (Mann-Whitney, arXiv "
    "2108.13264), better_share each episode with itself; ties count half",
    "plan_seconds": "wall seconds of a plan from the start of an episode, those of a batch shared equally; the agents "
    "planned in turns",
    "plans_per_second": "1 / median of plan_seconds",
    "decision_seconds": "wall seconds of one call of the agent for the whole batch, all steps of whole episodes",
    "decisions_per_second": "environments times steps by seconds in the agent, in whole episodes",
    "peak_bytes": METHOD,
    "plan_network": "means per plan, over all plans of the scored episodes",
}


def build_bench_record(
    measured: Mapping[str, Measured],
    facts: Mapping[str, Mapping[str, Any]],
    *,
    device: str,
    threads: int,
    load_average: float | None,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Put a comparison into one JSON-ready record.

    Args:
        measured: agents by name; the others are compared with the first. All met the same episodes.
        facts: what is known of each agent, such as its options, parameters and weights.
        device: such as "cpu".
        threads: of the CPU.
        load_average: of the machine, over the minute before the start.
        config: the resolved configuration.
    """
    first = next(iter(measured.values())).rollouts
    for name, each in measured.items():
        if not (
            np.array_equal(each.rollouts.starts, first.starts) and np.array_equal(each.rollouts.goals, first.goals)
        ):
            raise RuntimeError(f"{name} met other episodes than the first agent")  # an environment that is not seeded
    return {
        "env": re.sub(r"-v\d+$", "", first.env_id),
        "env_id": first.env_id,
        "goal": first.goal,
        "seed": first.seed,
        "n_episodes": len(first),
        "n_envs": first.num_envs,
        "steps_per_episode": first.rewards.shape[1],
        "device": device,
        "threads": threads,
        "load_average_before": load_average,
        "agents": [
            {"name": name, **facts[name], **_measures(each, against=None if each.rollouts is first else first)}
            for name, each in measured.items()
        ],
        "episodes": [
            {"start": np.round(start, 6).tolist(), "goal": np.round(goal, 6).tolist()}
            for start, goal in zip(first.starts.astype(float), first.goals.astype(float), strict=True)
        ],
        "notes": NOTES,
        "start_protocol": start_protocol(first.goal),
        **circumstances(),
        "config": dict(config),
    }


def _measures(measured: Measured, *, against: Rollouts | None) -> dict[str, Any]:
    scores = measured.rollouts.scores
    return {
        "metrics": {name: asdict(each) for name, each in summarize(scores).items()},
        "interquartile_mean": asdict(stratified_bootstrap([scores.normalized_return], interquartile_mean)),
        "against_first": None if against is None else compare(scores, against.scores),
        "plan_network": {
            "evaluations": _mean(measured.rollouts.plan_evaluations),
            "token_evaluations": _mean(measured.rollouts.plan_token_evaluations),
        },
        "plans_per_episode": len(measured.rollouts.plan_seconds) / len(measured.rollouts),
        "cost": {str(batch): _cost(each, batch=batch) for batch, each in measured.costs.items()},
        "wall_seconds": round(measured.rollouts.seconds, 3),
        "scores": np.round(scores.normalized_return, 3).tolist(),
    }


def compare(these: EpisodeScores, first: EpisodeScores) -> dict[str, Any]:
    """How much better ``these`` are than the ``first``, on the same episodes, with 95 % intervals."""
    pairs = np.stack([these.normalized_return, first.normalized_return], axis=1)
    better = (np.sign(pairs[:, 0] - pairs[:, 1]) + 1) / 2
    return {
        "difference": asdict(stratified_bootstrap([pairs[:, 0] - pairs[:, 1]], stratified_mean)),
        "probability_of_improvement": asdict(stratified_bootstrap([pairs], probability_of_improvement)),
        "better_share": asdict(stratified_bootstrap([better], stratified_mean)),
    }


def _cost(cost: Cost, *, batch: int) -> dict[str, Any]:
    plans, decisions = _percentiles(cost.plan_seconds), _percentiles(cost.decision_seconds)
    return {
        "plan_seconds": plans,
        "plans_per_second": 1 / plans["p50"] if plans["p50"] else None,
        "decision_seconds": decisions,
        "decisions_per_second": batch / float(cost.decision_seconds.mean()) if decisions["calls"] else None,
        "peak_bytes": cost.peak_bytes,
        "peak_gpu_bytes": cost.peak_gpu_bytes,
        "plan_samples": np.round(cost.plan_seconds[:KEPT_SAMPLES], 6).tolist(),
    }


def _percentiles(seconds: np.ndarray) -> dict[str, Any]:
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]).tolist() if len(seconds) else (None, None, None)
    return {"p50": p50, "p95": p95, "p99": p99, "calls": len(seconds)}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None

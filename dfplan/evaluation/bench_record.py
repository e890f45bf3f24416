"""The record of agents that were measured side by side: scores, paired differences, time and memory."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from dfplan.evaluation.metrics import INTERVAL
from dfplan.evaluation.report import circumstances, plan_network
from dfplan.evaluation.rollout import Rollouts
from dfplan.evaluation.statistics import (
    interquartile_mean,
    probability_of_improvement,
    stratified_bootstrap,
    stratified_mean,
)
from dfplan.evaluation.timing import METHOD, Cost, Measured
from dfplan.protocol import EvaluationProtocol, Measures

KEPT_SAMPLES = 200  # of the seconds of a plan, for pictures
NOTES = {
    "interval": INTERVAL,
    "interquartile_mean": "of scores over episodes: a quarter of them cut off at either end",
    "against_first": "of scores, this agent against the first one of the list, both on the same episodes: "
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
    protocol: EvaluationProtocol,
    env: str,
    device: str,
    threads: int,
    load_average: float | None,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Put a comparison into one JSON-ready record.

    Args:
        measured: agents by name; the others are compared with the first. All met the same episodes.
        facts: what is known of each agent, such as its options, parameters and weights.
        protocol: by which they were rolled out.
        env: name of the environment.
        device: such as "cpu".
        threads: of the CPU.
        load_average: of the machine, over the minute before the start.
        config: the resolved configuration.
    """
    name, first = next(iter(measured.items()))
    for other, each in measured.items():
        if not _are_alike(each.rollouts, first.rollouts):
            raise RuntimeError(f"{other} met other episodes than the first agent")  # an environment that is not seeded
    measures = {other: protocol.measure(each.rollouts) for other, each in measured.items()}
    of_first = measures[name]
    return {
        "env": env,
        "env_id": first.rollouts.env_id,
        "seed": first.rollouts.seed,
        "n_episodes": len(first.rollouts),
        "n_envs": first.rollouts.num_envs,
        **{fact: value for fact, value in of_first.facts.items() if fact != "failures"},
        "device": device,
        "threads": threads,
        "load_average_before": load_average,
        "agents": [
            {"name": other, **facts[other], **_measures(each, measures[other], against=of_first)}
            for other, each in measured.items()
        ],
        "episodes": [{part: each[part] for part in ("start", "goal") if part in each} for each in of_first.episodes],
        "notes": NOTES,
        **circumstances(),
        "config": dict(config),
    }


def _are_alike(these: Rollouts, others: Rollouts) -> bool:
    """Whether the same episodes were rolled out, by how they begin."""
    pairs = [*zip(these.states, others.states, strict=False), *zip(these.goals, others.goals, strict=False)]
    return len(these) == len(others) and all(np.array_equal(each[0], other[0]) for each, other in pairs)


def _measures(measured: Measured, measures: Measures, *, against: Measures) -> dict[str, Any]:
    scores, rollouts = measures.compared, measured.rollouts
    return {
        "metrics": dict(measures.metrics),
        "interquartile_mean": asdict(stratified_bootstrap([scores], interquartile_mean)),
        "against_first": None if measures is against else compare(scores, against.compared),
        "plan_network": plan_network(rollouts),
        "plans_per_episode": len(rollouts.plans.seconds) / len(rollouts),
        "cost": {str(batch): _cost(each, batch=batch) for batch, each in measured.costs.items()},
        "wall_seconds": round(rollouts.seconds, 3),
        "observations_outside_data": rollouts.outside_data,
        "scores": np.round(scores, 3).tolist(),
    }


def compare(these: np.ndarray, first: np.ndarray) -> dict[str, Any]:
    """How much better ``these`` scores ``(episodes,)`` are than the ``first``, on the same episodes, with intervals."""
    pairs = np.stack([these, first], axis=1)
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

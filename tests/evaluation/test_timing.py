"""Agents side by side: what is counted as a plan and as a decision, that all meet the same episodes, and the record."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from rich.console import Console

from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.evaluation import timing
from dfplan.evaluation.bench_record import build_bench_record, compare
from dfplan.evaluation.bench_tables import render_bench
from dfplan.evaluation.metrics import score_episodes
from dfplan.evaluation.rollout import evaluate_agent, evaluate_agents
from dfplan.evaluation.timing import measure_agents
from dfplan.types import Plan, PlanEvent

STEPS = 150  # of an episode of the open maze
PROTOCOL = MazeProtocol("maze2d-open-v0", goal="random")


class Driver:
    """Drives at the goal; plans at the start of an episode for those not there yet, and again at step 50."""

    def __init__(self, *, strength: float, plan_seconds: float = 0.0, plans: bool = True) -> None:
        self.strength, self.plan_seconds, self.plans, self.on_plan = strength, plan_seconds, plans, None
        self.batches: list[int] = []

    def reset(self, *, seeds, goals):
        self.goals, self.step = goals, 0
        self.batches.append(len(seeds))

    def act(self, observations):
        away = np.flatnonzero(np.linalg.norm(observations[:, :2] - self.goals, axis=1) > 0.5)
        if self.plans and self.step in (0, 50) and len(away):
            time.sleep(self.plan_seconds)
            empty, steps = np.zeros((len(away), 1)), np.full(len(away), 4)
            plan = Plan(np.ones((len(away), 4, 4)), empty[..., None], empty, steps, steps, empty[:, 0], 1)
            if self.on_plan is not None:
                self.on_plan(PlanEvent(away, self.step, plan, seconds=self.plan_seconds))
        self.step += 1
        return np.clip(self.strength * (self.goals - observations[:, :2]) - 1.5 * observations[:, 2:], -1, 1)


@contextmanager
def no_bar(_):
    yield lambda done, total: None


def measured(agents, **changes):
    given = {"num_episodes": 6, "num_envs": 4, "num_plans": 3, "least_plans": 1, "timing_seconds": 10.0}
    return measure_agents(agents, PROTOCOL, seed=0, bar=no_bar, **(given | changes))


@pytest.fixture(scope="module")
def found():
    agents = {"quick": Driver(strength=8), "slow": Driver(strength=3, plan_seconds=0.02), "blind": Driver(strength=8)}
    agents["blind"].plans = False
    return measured(agents)


def test_scores_are_those_of_each_agent_alone(found):
    for name, strength in (("quick", 8), ("slow", 3)):
        alone = evaluate_agent(Driver(strength=strength), PROTOCOL, num_episodes=6, num_envs=2, seed=0)
        np.testing.assert_array_equal(found[name].rollouts.rewards, alone.rewards)
        np.testing.assert_array_equal(found[name].rollouts.goals, found["quick"].rollouts.goals)


def test_plans_at_the_start_are_timed_and_their_batch_shares_them(found):
    for batch, least in ((1, 0.02), (4, 0.02 / 4)):
        seconds = found["slow"].costs[batch].plan_seconds
        assert 1 <= len(seconds) <= 3
        assert least <= seconds.min() <= 4 * least
    assert found["quick"].costs[1].plan_seconds.max() < 0.02
    assert len(found["blind"].costs[1].plan_seconds) == 0


def test_decisions_are_those_of_whole_episodes_at_that_batch_size(found):
    assert len(found["quick"].costs[1].decision_seconds) == STEPS
    assert len(found["quick"].costs[4].decision_seconds) == STEPS  # of six episodes four fill a batch, two do not
    assert found["slow"].costs[1].decision_seconds.max() >= 0.02
    assert found["quick"].costs[4].peak_bytes > 2**20


def test_an_agent_whose_time_is_up_is_timed_no_more():
    agents = {"slow": Driver(strength=8, plan_seconds=0.05), "quick": Driver(strength=8)}
    costs = measured(agents, num_plans=12, timing_seconds=0.12, num_episodes=1, num_envs=1)
    assert len(costs["slow"].costs[1].plan_seconds) == 3  # the one of the episode and two more
    assert len(costs["quick"].costs[1].plan_seconds) > 6


def test_the_least_plans_are_timed_however_long_they_take():
    costs = measured({"slow": Driver(strength=8, plan_seconds=0.05)}, num_plans=8, least_plans=5, timing_seconds=0.01)
    assert [len(costs["slow"].costs[batch].plan_seconds) for batch in (1, 4)] == [5, 5]
    few = measured({"slow": Driver(strength=8, plan_seconds=0.05)}, num_plans=2, least_plans=5, num_episodes=1)
    assert len(few["slow"].costs[1].plan_seconds) == 2


def test_agents_take_turns_batch_by_batch():
    order = []
    agents = {name: Driver(strength=8, plans=False) for name in "ab"}
    for name, agent in agents.items():
        agent.reset = lambda seeds, goals, name=name, agent=agent: (
            order.append((name, len(seeds))),
            setattr(agent, "goals", goals),
            setattr(agent, "step", 0),
        )
    evaluate_agents(agents, MazeProtocol("maze2d-open-v0"), num_episodes=3, num_envs=2, seed=0)
    assert order == [("a", 2), ("b", 2), ("a", 1), ("b", 1)]


PEAKS = """
import numpy as np
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.evaluation import timing
timing.reset_peak()
before = timing.peak_process_bytes()
block = np.ones(128 * 2**20 // 8)  # so large that it goes back to the system at once, whatever the allocator learnt
print(timing.peak_process_bytes() - before)
del block
timing.reset_peak()
print(timing.peak_process_bytes() - before)
"""


@pytest.mark.slow
def test_a_peak_is_forgotten_and_found_again():
    """In a process of its own: what else a process has in memory comes and goes as it likes."""
    found = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    with_block, without = (int(line) for line in found.stdout.split())
    assert with_block > 110 * 2**20
    if timing.RESET.exists():
        assert without < 60 * 2**20
    assert timing.peak_gpu_bytes() is None or timing.peak_gpu_bytes() >= 0


def test_a_comparison_is_of_the_same_episodes():
    at_goal = np.zeros((4, 10), bool)
    at_goal[:, 5:] = True
    more = at_goal.copy()
    more[:, 4] = True
    scores = [
        score_episodes(each.astype(np.float32), at_goal=each, reference_min=0, reference_max=100).normalized_return
        for each in (more, at_goal)
    ]
    found = compare(*scores)
    assert found["difference"] == {"mean": 1, "low": 1, "high": 1}
    assert found["better_share"]["mean"] == found["probability_of_improvement"]["mean"] == 1


def test_a_record_is_plain_json_and_reads_as_tables(found):
    facts = {name: {"options": [], "num_parameters": 7 if name == "slow" else None} for name in found}
    record = build_bench_record(
        found, facts, protocol=PROTOCOL, env="open", device="cpu", threads=1, load_average=0.5, config={}
    )
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    quick, slow, blind = record["agents"]
    assert quick["against_first"] is None
    assert slow["against_first"]["difference"]["mean"] == pytest.approx(
        np.mean(np.array(slow["scores"]) - quick["scores"]), abs=1e-3
    )
    assert slow["cost"]["1"]["plans_per_second"] == pytest.approx(1 / slow["cost"]["1"]["plan_seconds"]["p50"])
    assert blind["cost"]["4"]["plans_per_second"] is None
    assert len(record["episodes"]) == len(slow["scores"]) == 6
    for width, count in ((80, 2), (200, 1)):
        tables = render_bench(record, PROTOCOL.rows, width=width)
        assert len(tables) == count
        console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        for table in tables:
            console.print(table)
        text = console.export_text()
        assert all(name in text for name in found)
        assert "above quick" in text
        assert "…" not in text


def test_agents_of_other_episodes_are_not_compared(found):
    other = measured({"other": Driver(strength=8)}, num_episodes=4)
    with pytest.raises(RuntimeError, match="other met other episodes"):
        build_bench_record(
            found | other, {}, protocol=PROTOCOL, env="open", device="cpu", threads=1, load_average=None, config={}
        )

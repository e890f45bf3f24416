"""Makes a data set of policies that drive in equal parts, the poorest first, and tells of each how it was made."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dfplan.domains.published.drive import Driver, Step, drive
from dfplan.domains.published.lesser import MANY, Band, Lesser, Trial, find_lesser
from dfplan.domains.published.policy import Policy
from dfplan.domains.published.worlds import EXPERT, World
from dfplan.errors import UserError, counted

APART = 1000  # numbers between the directions of two policies, and between two seeds 1000 times as many


def scored(driver: Driver, *, by_success: bool, seed: int) -> Trial:
    """Scores policies by episodes that are the same for all of them.

    Args:
        driver: of the environment.
        by_success: whether a score is the share of episodes that end in success, rather than the return.
        seed: of the data set.
    """

    def score(steps: list[Step]) -> float:
        return float(steps[-1].success or 0) if by_success else sum(step.reward for step in steps)

    def trial(policy: Policy, num_episodes: int, sampled: bool) -> np.ndarray:
        seeds = np.random.SeedSequence(_number(seed, APART - 1)).spawn(num_episodes)
        return np.array([score(list(driver.episode(policy, each, sampled=sampled))) for each in seeds])

    return trial


def judge_expert(policy: Policy, trial: Trial) -> Lesser:
    """What an expert scores.

    Raises:
        UserError: nothing, so that there are no shares of it.
    """
    score, mean_score = (float(trial(policy, MANY, sampled).mean()) for sampled in (True, False))
    expert = Lesser(policy, 0.0, 0, score, mean_score)
    if not expert.score > 0:
        raise UserError(
            f"policy= scores {expert.score:.4g} in {counted(MANY, 'episode')}, so it is no expert; choose the policy "
            "of this environment"
        )
    return expert


def record_policies(
    driver: Driver,
    expert: Lesser,
    bands: Sequence[Band],
    *,
    world: World,
    trial: Trial,
    num_steps: int,
    seed: int,
    on_progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Find the policies, have them drive, and put everything together.

    Args:
        driver: of the environment.
        expert: see :func:`judge_expert`.
        bands: share of its score that each policy is to have; :data:`EXPERT` is the expert.
        world: how lesser policies are looked for there.
        trial: see :func:`scored`.
        num_steps: rows of all together, at least one for each policy.
        seed: everything random follows from it.
        on_progress: called with rows so far and rows in all.
        say: hears of each policy.

    Returns:
        Arrays by D4RL key, and what there is to be said of each policy.

    Raises:
        UserError: there is no policy in a band.
    """
    ends = [num_steps * (number + 1) // len(bands) for number in range(len(bands))]
    parts, facts = [], []
    for number, (band, first, end) in enumerate(zip(bands, [0, *ends], ends, strict=False)):
        start = _number(seed, number)
        found = expert
        if band != EXPERT:
            direction = _number(seed, 0) if world.one_direction else start
            found = find_lesser(expert, band, strongest=world.strongest, trial=trial, first_direction=direction)

        def show(done: int, first: int = first) -> None:
            on_progress(first + done, num_steps)

        part = drive(driver, found.policy, num_steps=end - first, seed=start, on_step=show)
        part["infos/policy"] = np.full(end - first, number, np.int32)
        parts.append(part)
        facts.append({"rows": [first, end], **_describe(found), **_outcome(part)})
        say(_told(facts[-1], number + 1, len(bands)))
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}, facts


def _number(seed: int, number: int) -> int:
    return (seed * APART + number) * APART


def _describe(found: Lesser) -> dict[str, Any]:
    return {
        "strength": round(found.strength, 6),
        "direction": found.direction,
        "sha256": found.policy.checksum,
        "chosen_by": {"sampled": round(found.score, 3), "mean_actions": round(found.mean_score, 3)},
    }


def _outcome(part: dict[str, np.ndarray]) -> dict[str, Any]:
    """What whole episodes came to; of the last one nobody knows, as it may have been cut off."""
    ends = np.flatnonzero(part["terminals"] | part["timeouts"]) + 1
    whole = ends[:-1] if len(ends) > 1 else ends
    returns = np.add.reduceat(part["rewards"][: whole[-1]].astype(np.float64), [0, *whole[:-1]])
    levels = np.quantile(returns, (0.1, 0.5, 0.9)).round(3).tolist()
    told: dict[str, Any] = {
        "episodes": len(ends),
        "return": {"mean": round(float(returns.mean()), 3), **dict(zip(("q10", "q50", "q90"), levels, strict=True))},
    }
    if "infos/success" in part:
        told["success"] = round(float(part["infos/success"][whole - 1].mean()), 4)
    return told


def _told(facts: dict[str, Any], number: int, total: int) -> str:
    success = f", {facts['success']:.0%} succeed" if "success" in facts else ""
    who = f"weights disturbed by {facts['strength']:.3g}" if facts["strength"] else "the expert"
    return f"policy {number} of {total}, {who}: return {facts['return']['mean']:.5g}{success}"

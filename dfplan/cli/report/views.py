"""What there is to see of an agent: some of its episodes, and one plan as it is denoised or searched."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dfplan.agent.pixels import PixelAgent
from dfplan.cli.build_agents import BuiltAgent
from dfplan.domain import Domain
from dfplan.errors import UserError
from dfplan.evaluation.report_episodes import SCORES, choose_episodes, film_episode, score_name
from dfplan.evaluation.rollout import Rollouts
from dfplan.planner import Planner, TreePlanner
from dfplan.protocol import EvaluationProtocol, HasScene, Measures, Scene
from dfplan.types import Verdict
from dfplan.viz.guidance import summary
from dfplan.viz.page import AgentView, EpisodeView
from dfplan.viz.page.drawn import drawn_episode, drawn_plan, drawn_tree
from dfplan.viz.page.film import MOST_FRAMES, Film, can_film, encode
from dfplan.viz.plan_trees import drawn_plans

NO_FFMPEG = "report.html has no videos, as imageio-ffmpeg is not installed: pip install 'dfplan[video]'"

FILM_SECONDS = 3.0  # to draw the frames of one, where drawing is slow


@dataclass(frozen=True)
class Seen:
    """What an agent has done, and what it is.

    Attributes:
        name: of it.
        built: what acted.
        rollouts: what it did.
        measures: what the protocol says of it.
        horizon: steps that it plans ahead at most.
        films: whether its episodes are filmed.
        verdict: how well each episode keeps what it had to; None where there is nothing.
    """

    name: str
    built: BuiltAgent
    rollouts: Rollouts
    measures: Measures
    horizon: int
    films: bool = True
    verdict: Verdict | None = None


def scene_of(protocol: EvaluationProtocol) -> Scene | None:
    """What its places are drawn over; None where there is nothing, or states are no places."""
    return protocol.scene() if isinstance(protocol, HasScene) else None


def view_agent(seen: Seen, domain: Domain, protocol: EvaluationProtocol, *, say: Callable[[str], None]) -> AgentView:
    """What there is to see of an agent; ``say`` hears what is missing."""
    named = SCORES[score_name(seen.measures.episodes) or "return"]
    scene, chosen = scene_of(protocol), choose_episodes(seen.measures.compared)
    if seen.films and not can_film():
        say(NO_FFMPEG)
    episodes, why = [], "" if seen.films and can_film() else "no video"
    for name, number in chosen.items():
        film, why = _film(seen, protocol, number, why=why)
        states, goal = seen.rollouts.states[number], seen.rollouts.goals[number][-1]
        score, steps = f"{named} {seen.measures.compared[number]:.4g}", len(states) - 1
        title = f"episode {number}, {score}, {steps} steps"
        notes = [] if film is not None or not seen.films or why == "no video" else [f"no video: {why}"]
        if seen.verdict is not None:
            notes.append(summary(seen.verdict, number))
        episodes.append(EpisodeView(name, title, drawn_episode(states, goal, scene), film, "; ".join(notes)))
    plan, note, tree = _plan(seen, domain, scene, chosen.get("median", chosen["best"]))
    return AgentView(seen.name, episodes, plan, note, tree)


def _film(seen: Seen, protocol: EvaluationProtocol, number: int, *, why: str) -> tuple[Film | None, str]:
    """An episode as mp4, or why there is none; one that failed is not tried again."""
    if why:
        return None, why
    for name in ("SDL_VIDEODRIVER", "SDL_AUDIODRIVER"):  # pygame looks for a screen and a loudspeaker, and needs none
        os.environ.setdefault(name, "dummy")
    try:
        frames = film_episode(protocol, seen.rollouts, number, most_frames=MOST_FRAMES, seconds=FILM_SECONDS)
        return encode(frames), ""
    except (UserError, OSError) as error:
        return None, str(error)


def _plan(
    seen: Seen, domain: Domain, scene: Scene | None, number: int
) -> tuple[dict[str, Any] | None, str, dict[str, Any] | None]:
    """One plan from where an episode began, what is to be said of it, and the tree that was searched there."""
    planner = seen.built.planner
    if planner is None:
        return None, f"{seen.built.name} has no rows of a scheduling matrix to show", None
    start, goal = seen.rollouts.states[number][0], seen.rollouts.goals[number][0]
    if isinstance(seen.built.agent, PixelAgent) and not seen.built.agent.sight.tells_places:
        return None, "what is planned from was not kept: frames are shown", None
    start = np.append(start, np.zeros(planner.observation_dim - len(start), start.dtype))  # seen, but how fast
    ends = {"start": start, "goal": goal, "scene": scene}
    told = goal[None] if domain.tells_goals and goal.size else None
    note, tree = f"A plan from where episode {number} began, row by row of its scheduling matrix.", None
    try:
        if isinstance(planner, TreePlanner) and not planner.plans_parts:
            believed = planner.believe(start[None], told)
            trees = planner.grow(believed, horizon=seen.horizon, generators=_generators(seen))
            tree = drawn_tree(drawn_plans(trees), **ends)
            note = f"A plan from where episode {number} began: in this way the first plans of the tree are made."
        first = Planner(planner.model, settings=planner.settings) if isinstance(planner, TreePlanner) else planner
        horizon = min(seen.horizon, first.window_steps)
        plan = first.plan(start[None], told, horizon=horizon, generators=_generators(seen), record_history=True)
        matrix = first.settings.scheduling_matrix(min(first.window_tokens, plan.rewards.shape[1]))
        return drawn_plan(plan, matrix.numpy(), **ends), note, tree
    except UserError as error:  # such as plans that are made part by part, which have no one history
        return None, f"no plan is shown: {error}", tree


def _generators(seen: Seen) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seen.rollouts.seed)]

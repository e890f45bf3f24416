"""``dfplan eval``: roll an agent out, score it, write the record and a picture."""

import numpy as np
from rich.console import Console

from dfplan.cli.build import describe_weights, select_device
from dfplan.cli.build_agents import build_named_agent
from dfplan.cli.compose import plain
from dfplan.cli.folders import make_run_folder
from dfplan.cli.progress import progress_bar, say, say_outside
from dfplan.cli.schema import EvalConfig
from dfplan.domains.find import find_domain
from dfplan.evaluation.report import build_record, render_table, write_record
from dfplan.evaluation.rollout import Rollouts, evaluate_agent
from dfplan.planner import Planner
from dfplan.types import Verdict

OF_PROTOCOL = ("goal", "goal_given", "view", "vectorization")
SAYS_NOTHING = ("output", "report")  # about the result


def run(config: EvalConfig) -> int:
    """Evaluate; the last line printed is the path of the results JSON.

    Returns:
        3 where there are constraints and no episode keeps all of them, else 0.
    """
    domain = find_domain(config.env.id)
    device = select_device(config.device, threads=config.threads)
    built = build_named_agent(config, domain, device=device, say=say)
    protocol = domain.protocol(**{name: getattr(config, name) for name in OF_PROTOCOL if name in domain.options})
    folder = make_run_folder("eval", env_name=config.env.name, chosen=config.output)
    with progress_bar(f"{config.env.name}, episodes") as show:
        rollouts = evaluate_agent(
            built.agent,
            protocol,
            num_episodes=config.n_episodes,
            num_envs=config.n_envs,
            seed=config.seed,
            on_progress=show,
        )
    say_outside(rollouts.outside_data)
    settings = {name: value for name, value in plain(config).items() if name not in SAYS_NOTHING}
    verdict = judge_driven(rollouts, built.planner)
    measures = protocol.measure(rollouts)
    record = build_record(
        rollouts,
        measures,
        env=config.env.name,
        verdict=verdict,
        planner=built.name,
        controller=built.controller,
        device=str(device),
        config=settings,
        weights=describe_weights(built.weights, built.metadata) if built.weights else None,
    )
    results = write_record(record, path=folder / "results.json")
    try:
        Console().print(render_table(record, protocol.rows))
        picture = protocol.draw(
            rollouts,
            path=folder / "rollouts.png",
            name=f"{config.env.name}, {built.controller}",
            guidance=None if built.planner is None else built.planner.settings.guidance,
        )
        print(f"picture: {picture}")
        if config.report:
            from dfplan.cli.report import Seen, report_evaluation  # loads what draws; the scores come first

            horizon = config.planner.horizon or domain.spec.episode_steps
            seen = Seen(built.name, built, rollouts, measures, horizon, verdict=verdict)
            where = {"folder": folder, "domain": domain, "protocol": protocol}
            print(f"report: {report_evaluation(record, seen=seen, say=say, **where)}")
    finally:
        print(results)  # the scores are there, whatever becomes of table and picture
    return 3 if verdict is not None and not verdict.kept.any() else 0


def judge_driven(rollouts: Rollouts, planner: Planner | None) -> Verdict | None:
    """How well what was driven keeps the constraints of a planner; None where there are none."""
    if planner is None or not planner.constraints:
        return None
    places = np.stack(rollouts.states)[..., : planner.goal_dim]
    return planner.constraints.judge(
        places.astype(np.float64),
        num_steps=np.full(len(rollouts), places.shape[1] - 1),
        radius=planner.model.goal_radius,
        seconds_per_step=planner.model.step_seconds,
    )

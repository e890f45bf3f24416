"""``dfplan bench``: agents on the same episodes, scored and timed in turns; tables, a record, a picture."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console

from dfplan.cli.any_environment import usual_options
from dfplan.cli.arguments import name_of, read_words
from dfplan.cli.build import describe_weights, select_device
from dfplan.cli.build_agents import BuiltAgent, build_named_agent
from dfplan.cli.compose import compose_options, plain, readable_errors, to_schema
from dfplan.cli.folders import make_run_folder
from dfplan.cli.progress import progress_bar, say, say_outside
from dfplan.cli.schema import BenchConfig, EvalConfig
from dfplan.domains.find import find_domain
from dfplan.errors import UserError
from dfplan.evaluation.bench_record import build_bench_record
from dfplan.evaluation.bench_tables import render_bench
from dfplan.evaluation.report import write_record
from dfplan.evaluation.timing import measure_agents
from dfplan.ranges import closest

# What agents share; said once, for all of them.
SHARED = ("env", "goal", "seed", "n_episodes", "n_envs", "device", "threads", "output", "report", "experiment")
SAYS_NOTHING = ("output", "report")  # about the result
FILMED = 2  # agents, whose episodes are filmed; the ways of the others are drawn alone
OF_EVAL = ("goal_given", "view")  # options of what is shown, which bench leaves as they are


def run(config: BenchConfig) -> None:
    """Measure; the last line printed is the path of the results JSON."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    device = select_device(config.device, threads=config.threads)
    domain = find_domain(config.env.id)
    protocol = domain.protocol(**({"goal": config.goal} if "goal" in domain.options else {}))
    built: dict[str, BuiltAgent] = {}
    horizons: dict[str, int] = {}
    facts: dict[str, dict[str, Any]] = {}
    for name in config.agents:
        words = options_of(name, config)
        chosen = agent_config(name, words, config)
        built[name] = build_named_agent(chosen, domain, device=device, say=say)
        horizons[name] = chosen.planner.horizon or domain.spec.episode_steps
        facts[name] = facts_of(built[name]) | {"options": words}
    folder = make_run_folder("bench", env_name=config.env.name, chosen=config.output)
    measured = measure_agents(
        {name: each.agent for name, each in built.items()},
        protocol,
        num_episodes=config.n_episodes,
        num_envs=config.n_envs,
        seed=config.seed,
        num_plans=config.n_plans,
        least_plans=config.least_plans,
        timing_seconds=config.timing_seconds,
        bar=progress_bar,
    )
    for name, each in measured.items():
        say_outside(each.rollouts.outside_data, of=f"{name}: ")
    settings = {name: value for name, value in plain(config).items() if name not in SAYS_NOTHING}
    record = build_bench_record(
        measured,
        facts,
        protocol=protocol,
        env=config.env.name,
        device=str(device),
        threads=torch.get_num_threads(),
        load_average=load,
        config=settings,
    )
    results = write_record(record, path=folder / "results.json")
    console = Console()
    try:
        for table in render_bench(record, protocol.rows, width=console.width):
            console.print(table)
        from dfplan.viz.bench import draw_bench  # matplotlib is slow to import; the scores come first

        print(f"picture: {draw_bench(record, path=folder / 'bench.png')}")
        if config.report:
            from dfplan.cli.report import Seen, report_bench

            seen = [
                Seen(name, built[name], each.rollouts, protocol.measure(each.rollouts), horizons[name], index < FILMED)
                for index, (name, each) in enumerate(measured.items())
            ]
            where = {"folder": folder, "domain": domain, "protocol": protocol}
            print(f"report: {report_bench(record, seen=seen, say=say, **where)}")
    finally:
        print(results)


def options_of(name: str, config: BenchConfig) -> list[str]:
    """The options of a named agent.

    Raises:
        UserError: there is no such name, or it is given twice.
    """
    if name not in config.options_of:
        known = list(config.options_of)
        raise UserError(
            f"unknown agent {name!r}{closest(name, known)}; choose {', '.join(known)}, or add one: "
            "+options_of.mine=[planner.num_candidates=4] agents=[default,mine]"
        )
    if config.agents.count(name) > 1:
        raise UserError(f"agents holds {name!r} twice; give a second one a name of its own with +options_of.<name>=[…]")
    return list(config.options_of[name])


def agent_config(name: str, words: Sequence[str], config: BenchConfig) -> EvalConfig:
    """What ``dfplan eval`` would make of the words, in the environment and with the seed of all agents.

    Raises:
        UserError: a word that ``dfplan eval`` would refuse, or one that is of all agents.
    """
    for word in words:
        key = name_of(word)
        if key.split(".")[0] in SHARED:
            raise UserError(f"options_of.{name}: {key} is the same for all agents; give it to bench itself")
        if key in OF_EVAL:
            raise UserError(
                f"options_of.{name}: {key} is of `dfplan eval` alone; here goals are told as places, seen from top"
            )
    try:
        with readable_errors("eval"):
            options = read_words("eval", words).options
            options = [*usual_options(config.env.name, options), *options]
            chosen = to_schema("eval", compose_options("eval", options))
    except UserError as error:
        raise UserError(f"options_of.{name}: {error}") from error
    chosen.env, chosen.goal, chosen.seed = config.env, config.goal, config.seed
    chosen.n_episodes, chosen.n_envs = config.n_episodes, config.n_envs
    chosen.device, chosen.threads = config.device, config.threads
    return chosen


def facts_of(built: BuiltAgent) -> dict[str, Any]:
    """What the row of an agent says of it."""
    return {
        "planner": built.name,
        "controller": built.controller,
        "num_parameters": built.num_parameters,
        "weights": describe_weights(built.weights, built.metadata) if built.weights else {},
    }

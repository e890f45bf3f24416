"""Does a planner keep clear of others who move? Of one to four who look out for nobody, and of one who is after it.

``python benchmarks/movers/run.py`` trains what is missing, plays, and writes ``results/<date>_<room>.json``.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from adversary import Duel
from PIL import Image
from walks import walks

import dfplan
from dfplan.agent import MPCAgent, PlannedActions
from dfplan.cli.build import describe_weights
from dfplan.domains.find import find_domain
from dfplan.evaluation.rollout import Rollouts, evaluate_agent
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.others import FORESEEING, PlannerAmongOthers
from dfplan_envs.movers import RADIUS

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, head, load, row, source
from worlds import EPISODE_SEED, successes

HERE = Path(__file__).parent
SUMMARY, README, PICTURE = HERE / "summary.json", HERE / "README.md", "episode.gif"
BEGIN, END = "<!-- measured: written by benchmarks/movers/run.py -->", "<!-- end of measured -->"
WALKS = 2000
TRAINED = (
    "env.window_tokens=6",
    "windows.steps_per_token=8",
    "windows.points_per_token=4",
    "windows.restart_share=0.3",  # or turns are too rare to be learned, and ways aside are not taken
    "threads=1",
)
STEPS = 1500
SETTINGS = PlannerSettings(num_candidates=16, halve_after=None)
HOW: dict[str, Any] = {"replan_every": 2, "horizon": 48}
MEASURES = ("collisions", "success")
ROOMS = {"one": 1, "two": 2, "three": 3, "four": 4, "adversary": 1}
SAID = {
    "model": "futures sampled from the same weights",
    "constant velocity": "straight on at its present velocity",
    "standing": "where it is",
    "unseen": "nowhere: not seen",
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--trainings", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--runs", type=Path, default=Path("runs/movers"), help="where trainings are kept")


def results(arguments: argparse.Namespace) -> Named:
    """Train what is missing, and play: ours with every training, rivals with the first."""
    torch.set_num_threads(1)
    folders = [arguments.runs / f"seed-{seed}" for seed in arguments.trainings]
    models = [trained(folder, seed=seed) for folder, seed in zip(folders, arguments.trainings, strict=True)]
    weights = [
        describe_weights(folder / "model", model.metadata) for folder, model in zip(folders, models, strict=True)
    ]
    film(models[0], arguments)
    for room in arguments.rooms:
        rows: dict[str, Any] = {}
        for foresee in FORESEEING:
            of = models if foresee == "model" else models[:1]
            found = summary([play(model, room, foresee, arguments) for model in of])
            rows[name_of(room, foresee)] = found
            print(room, foresee, {key: round(found[key]["mean"], 3) for key in MEASURES}, flush=True)
        yield (
            room,
            {
                "question": "how often does a planner touch others who move?",
                "trained": [*TRAINED, f"training.num_steps={STEPS}"],
                "planned": {"num_candidates": SETTINGS.num_candidates} | HOW,
                "weights": weights,
                "rows": rows,
            },
        )


def trained(folder: Path, *, seed: int) -> ForcingModel:
    """The weights of a training, which is done now unless it was before."""
    if not (folder / "model").exists():
        dfplan.train(walks(WALKS, seed=seed), env="movers-0-v0", seed=seed, steps=STEPS, output=folder, options=TRAINED)
    return dfplan.load(folder)


def agent_of(model: ForcingModel, room: str, foresee: str = "model") -> MPCAgent:
    """Who drives in a room, and with an adversary who drives both."""
    planner = PlannerAmongOthers(
        Planner(model, settings=SETTINGS), num_others=ROOMS[room], radius=2 * RADIUS, foresee=foresee
    )
    if room == "adversary":
        return Duel(planner, model, **HOW)
    return MPCAgent(planner, controller=PlannedActions(2), **HOW)


def protocol_of(room: str) -> Any:
    """How episodes in a room begin and end."""
    return find_domain(f"movers-{room if room == 'adversary' else ROOMS[room]}-v0").protocol()


def play(model: ForcingModel, room: str, foresee: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What becomes of every episode."""
    began = time.process_time()
    found = evaluate_agent(
        agent_of(model, room, foresee),
        protocol_of(room),
        num_episodes=arguments.episodes,
        num_envs=min(100, arguments.episodes),
        seed=arguments.seed,
    )
    return ends(found) | {"cpu_seconds": time.process_time() - began}


def film(model: ForcingModel, arguments: argparse.Namespace) -> None:
    """The first episode among four, as a picture that moves."""
    protocol = protocol_of("four")
    found = evaluate_agent(agent_of(model, "four"), protocol, num_episodes=1, num_envs=1, seed=arguments.seed)
    frames = [draw() for _, draw in protocol.film(0, seed=arguments.seed, actions=found.actions[0])]
    first, *others = (Image.fromarray(frame).quantize(32) for frame in frames)
    arguments.output.mkdir(parents=True, exist_ok=True)
    first.save(arguments.output.parent / PICTURE, save_all=True, append_images=others, duration=80, loop=0)


def ends(found: Rollouts) -> dict[str, Any]:
    """How episodes end: at the goal, by a touch, or with neither; and after how many steps."""
    assert found.success is not None
    success = np.array([bool(each[-1]) for each in found.success])
    steps = [len(rewards) for rewards in found.rewards]
    return {"success": success, "collisions": found.terminated & ~success, "steps": float(np.mean(steps))}


def summary(played: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Shares over the episodes of all trainings, and of each."""
    shares: dict[str, Any] = {}
    for name in MEASURES:
        all_of = np.stack([each[name] for each in played])
        shares[name] = successes(all_of) | {"each": all_of.mean(axis=1).tolist()}
    return shares | {name: [round(each[name], 1) for each in played] for name in ("steps", "cpu_seconds")}


def pages() -> dict[Path, str]:
    """The figures, and the README with their table: of each row the newest record that has it."""
    rows = {name: found for name, (found, _) in newest_rows().items()}
    figures = {f"{name}.{measure}": found[measure] for name, found in rows.items() for measure in MEASURES}
    readme = between_marks(README.read_text(), table() if rows else "Nothing is measured yet.", begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures, indent=1) + "\n", README: readme}


def newest_rows() -> dict[str, tuple[Record, Record]]:
    """By room and way to foresee, in their order: what was found, and the record that says so."""
    found = {
        name: (each, record) for record in reversed(load(HERE / "results")) for name, each in record["rows"].items()
    }
    order = [name_of(room, foresee) for room in ROOMS for foresee in FORESEEING]
    return {name: found[name] for name in order if name in found}


def name_of(room: str, foresee: str) -> str:
    """Of a row."""
    return room if foresee == "model" else f"{room}.{foresee.replace(' ', '_')}"


def table() -> str:
    """A line for each room and each way to foresee."""
    lines = list(
        head("others", "where they are thought to go", "touches % [95 %]", "success % [95 %]", "steps", "trainings")
    )
    for name, (found, _) in newest_rows().items():
        room, _, foresee = name.partition(".")
        lines.append(
            row(
                room,
                SAID[foresee.replace("_", " ") or "model"],
                *(share(found[measure]) for measure in MEASURES),
                f"{np.mean(found['steps']):.0f}",
                len(found["steps"]),
            )
        )
    records = {record["file"]: record for _, record in newest_rows().values()}
    return "\n".join(lines) + "\n\n" + "; ".join(source(records[name]) for name in sorted(records))


def share(found: Record) -> str:
    """A share and its interval, in percent."""
    mean, low, high = (100 * found[key] for key in ("mean", "low", "high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=200, seed=EPISODE_SEED, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

"""``dfplan evolve``: practise goals that the data lack, keep what arrived, fine-tune on that; round after round."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from dfplan.cli import python
from dfplan.cli.build import describe_weights, find_weights, select_device
from dfplan.cli.build_agents import build_named_agent
from dfplan.cli.commands.record import as_trajectories
from dfplan.cli.commands.train import BEFORE, MAX_CONFIG_BYTES
from dfplan.cli.compose import literal, plain, readable_errors, to_schema
from dfplan.cli.folders import dataset_folder, group_choices, make_run_folder
from dfplan.cli.group_schema import TrainingConfig
from dfplan.cli.progress import progress_bar, say, say_outside
from dfplan.cli.schema import EvalConfig, EvolveConfig
from dfplan.data.formats.choose import write
from dfplan.domain import OPTIONS, Domain
from dfplan.domains.find import find_domain
from dfplan.domains.former import present_config
from dfplan.errors import UserError
from dfplan.evaluation.practice import Chosen, choose_unseen, mix, tasks_shown, worth_learning
from dfplan.evaluation.report import RECORD_SEAL, circumstances, write_record
from dfplan.evaluation.rollout import Rollouts, evaluate_agent
from dfplan.files import read_small, user_path
from dfplan.models.bundle import load_bundle
from dfplan.protocol import EvaluationProtocol, Measures
from dfplan.settings.windows import WindowSettings
from dfplan.training.run_lock import alone_in
from dfplan.types import Trajectories

SETTINGS, SCORES, PRACTISED, NOTED = "evolution.json", "scores.json", "practised.hdf5", "practised.json"
MAY_CHANGE = ("resume", "rounds", "device", "threads", "n_envs")
MOST_RESYNTHESISED = 200_000  # steps a round, as fine-tuning sees no more of them
GROUPS = ("windows", "diffusion", "resynthesis")  # of options of a training that its weights stand and fall with


def run(config: EvolveConfig, *, given: Sequence[str]) -> None:
    """Evolve, or go on with it; the last line printed is the folder of the last weights.

    Args:
        config: the checked configuration.
        given: names of the options on the command line, by which a resumed evolution tells wishes from defaults.
    """
    if config.resume is None:
        domain = _domain(config)
        weights = find_weights(config.weights, env_name=config.env.name)
        folder = make_run_folder("evolve", env_name=config.env.name, chosen=config.output)
        config = replace(config, weights=str(weights.absolute()), data=_absolute(config.data))
        write_record({"config": plain(config)}, path=folder / SETTINGS)
    else:
        folder = user_path(config.resume)
        config = _resumed(config, folder, given=given)
        domain = _domain(config)
    evolution = Evolution(config, domain, folder)
    with alone_in(folder):
        for number in range(config.rounds + 1):
            evolution.go(number)
            print(evolution.tell(number), flush=True)
        print(f"picture: {_draw(evolution.curve(), folder / 'curve.png')}")
    print(evolution.weights(config.rounds))


def _domain(config: EvolveConfig) -> Domain:
    """The environment, if there is something to practise in it.

    Raises:
        UserError: it has no goals, or shows frames.
    """
    domain = find_domain(config.env.id)
    if domain.shows_frames:
        raise UserError(
            f"{config.env.name} shows frames, and dfplan evolve practises with states; give an env= of states"
        )
    if not domain.spec.goal_dim:
        raise UserError(
            f"{config.env.name} has no goals, so none that its data lack; dfplan evolve is for environments with an "
            "achieved and a desired goal"
        )
    return domain


def _absolute(data: str) -> str:
    path = user_path(data)
    return str(path.absolute()) if path.exists() else data


def _resumed(config: EvolveConfig, folder: Path, *, given: Sequence[str]) -> EvolveConfig:
    """The configuration of the evolution to go on with, with what was given anew and may be.

    Raises:
        UserError: there is none, or an option would change what was computed already.
    """
    refused = [name for name in given if name not in MAY_CHANGE]
    if refused:
        raise UserError(
            f"an evolution keeps its configuration; leave out {', '.join(refused)}, or start a new one without resume="
        )
    try:
        saved = literal(json.loads(read_small(folder / SETTINGS, at_most=MAX_CONFIG_BYTES))["config"])
        saved |= {name: getattr(config, name) for name in given} | {"resume": None, "output": None}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"resume={folder}: no readable {SETTINGS} there ({str(error)[:200]}); give the folder that `dfplan evolve` "
            "wrote to"
        ) from error
    with readable_errors("evolve"):
        return to_schema("evolve", OmegaConf.create(saved))


@dataclass(frozen=True)
class Evolution:
    """Rounds in a folder each; whatever is there already is not done again."""

    config: EvolveConfig
    domain: Domain
    folder: Path

    def go(self, number: int) -> None:
        """A round: practise, fine-tune (round 0 has the weights as they are), evaluate."""
        folder = self._round(number)
        if (folder / SCORES).is_file():
            return
        if number and not (folder / "run" / "model").is_dir():
            if self.config.share and not (folder / NOTED).is_file():
                self._practise(number)
            self._train(number)
        self._evaluate(number)
        self.curve()

    def tell(self, number: int) -> str:
        """A round in a line."""
        scores = _read(self._round(number) / SCORES)
        mean, low, high = (100 * scores["success"][name] for name in ("mean", "low", "high"))
        practised = scores.get("practised")
        before = f"{practised['arrived']} of {practised['episodes']} practised arrived; " if practised else ""
        return f"round {number}: {before}success {mean:.1f} % [{low:.1f}, {high:.1f}] of {scores['episodes']} unseen"

    def weights(self, number: int) -> Path:
        """The bundle after a round."""
        return self._round(number) / "run" / "model" if number else Path(self.config.weights)

    def curve(self) -> list[dict[str, Any]]:
        """What is known of all rounds so far, also as curve.json."""
        paths = [self._round(number) / SCORES for number in range(self.config.rounds + 1)]
        rounds = [_read(path) for path in paths if path.is_file()]
        record = {"env": self.config.env.name, **circumstances(), "config": plain(self.config), "rounds": rounds}
        write_record(record, path=self.folder / "curve.json")
        return rounds

    def _round(self, number: int) -> Path:
        return self.folder / f"round_{number}"

    @cached_property
    def _device(self) -> torch.device:
        return select_device(self.config.device, threads=self.config.threads)

    @cached_property
    def _trained(self) -> tuple[Mapping[str, Any], dict[str, dict[str, Any]]]:
        """What the weights to begin with say of themselves, and the groups of options that they were trained with."""
        metadata = load_bundle(Path(self.config.weights))[1]
        config = present_config(metadata.get("provenance", {}).get("config", {}))
        if lacks := [name for name in ("windows", "diffusion") if name not in config]:
            raise UserError(
                f"weights={self.config.weights} do not say with which {' and '.join(lacks)} they were trained; give a "
                "planner of `dfplan train`"
            )
        groups = {name: BEFORE.get(name, {}) | config.get(name, {}) for name in GROUPS}
        steps = groups["resynthesis"].get("num_steps", 0)
        groups["resynthesis"] |= {"num_steps": min(steps, MOST_RESYNTHESISED)}
        return metadata, groups

    @cached_property
    def _data(self) -> Trajectories:
        return self._load(self.config.data)

    def _load(self, source: str) -> Trajectories:
        """A data set as plans are made of it: what was achieved of goals stands in observations, and nowhere else."""
        data = self.domain.load(source, say=say, cache_folder=dataset_folder(), leave_out=(), bar=progress_bar)
        return replace(data, achieved_goals=None, notes=())

    @cached_property
    def _protocol(self) -> EvaluationProtocol:
        return self.domain.protocol(**({"goal": "random"} if "goal" in self.domain.options else {}))

    @cached_property
    def _shown(self) -> np.ndarray:
        windows = self._trained[1]["windows"]
        known = {each.name: windows[each.name] for each in fields(WindowSettings) if each.name in windows}
        return tasks_shown(self._data, WindowSettings(**known), self.domain, seed=self.config.seed)

    def _practise(self, number: int) -> None:
        """Roll out goals of any kind with the weights of the round before, and keep what is worth it."""
        sequence = np.random.SeedSequence([self.config.seed, number])
        seed = int(sequence.generate_state(1)[0])
        rollouts, measures = self._roll_out(number - 1, range(self.config.n_episodes), seed=seed, what="practice")
        arrived = np.array([bool(each["success"]) for each in measures.episodes])
        kept = worth_learning(rollouts, arrived, keep=self.config.keep)
        path = self._round(number) / PRACTISED
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if len(kept):
            write(as_trajectories(kept, self.domain), path)
        noted = {"episodes": len(rollouts), "arrived": int(arrived.sum()), "steps_kept": sum(map(len, kept.rewards))}
        write_record(noted, path=path.with_name(NOTED))

    @cached_property
    def _unseen(self) -> tuple[list[int], np.ndarray]:
        """The episodes that every round is evaluated in, and how far each is from all that the data do."""
        return choose_unseen(
            self._protocol,
            self.domain,
            self._shown,
            num_episodes=self.config.eval_episodes,
            share=self.config.unseen,
            num_envs=self.config.n_envs,
            seed=self.config.eval_seed,
        )

    def _roll_out(self, weights: int, numbers: Sequence[int], *, seed: int, what: str) -> tuple[Rollouts, Measures]:
        """Episodes of a seed, by their numbers, with the weights after a round.

        Raises:
            UserError: nobody says whether an episode is a success.
        """
        names = ("env", "planner", "controller", "n_envs", "device", "threads")
        others: dict[str, Any] = {name: getattr(self.config, name) for name in names} | dict(OPTIONS)
        others |= {"output": None, "report": False, "grid_margin": 0.0}
        asked = EvalConfig(weights=str(self.weights(weights)), n_episodes=len(numbers), seed=seed, **others)
        protocol: Any = Chosen(self._protocol, numbers)
        built = build_named_agent(asked, self.domain, device=self._device, say=say)
        with progress_bar(f"{self.config.env.name}, {what}, episodes") as show:
            rollouts = evaluate_agent(
                built.agent,
                protocol,
                num_episodes=len(numbers),
                num_envs=self.config.n_envs,
                seed=seed,
                on_progress=show,
            )
        say_outside(rollouts.outside_data)
        if rollouts.success is None:
            raise UserError(
                f"{self.config.env.name} does not say what a success is, so nothing tells what to keep; have its steps "
                "say is_success or success in info"
            )
        return rollouts, self._protocol.measure(rollouts)

    def _train(self, number: int) -> None:
        """Fine-tune the weights of the round before on the data and all that was practised so far."""
        paths = [self._round(each) / PRACTISED for each in range(1, number + 1)]
        practised = [self._load(str(path)) for path in paths if path.is_file()]
        if self.config.share and not practised:
            say("nothing practised is worth learning from yet: fine-tuning on the data alone (keep=all learns from it)")
        metadata, groups = self._trained
        said = {f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()}
        said |= {f"training.{each.name}": getattr(self.config.training, each.name) for each in fields(TrainingConfig)}
        env, base, folder = self.config.env, self.weights(number - 1), self._round(number) / "run"
        said |= {"env.name": env.name, "env.window_tokens": metadata["num_tokens"]}
        said |= {name: getattr(self.config, name) for name in ("device", "threads")}
        shutil.rmtree(folder, ignore_errors=True)  # what an interruption has left
        python.train(
            mix(self._data, practised, share=self.config.share),
            env=env.name if env.name in group_choices("env") else env.id,
            seed=self.config.seed + number,
            output=folder,
            options=[
                *("task=lora", "task.rank=0", f"task.base={base.absolute()}"),
                *(f"{name}={'null' if value is None else value}" for name, value in said.items()),
            ],
        )

    def _evaluate(self, number: int) -> None:
        config, folder = self.config, self._round(number)
        numbers, distances = self._unseen
        rollouts, measures = self._roll_out(number, numbers, seed=config.eval_seed, what="evaluation")
        noted = folder / NOTED
        scores = {
            "round": number,
            "episodes": len(rollouts),
            "seed": config.eval_seed,
            "success": measures.metrics["success_rate"],
            "metrics": measures.metrics,
            "distance_from_data": {"least": float(distances.min()), "median": float(np.median(distances))},
            "weights": describe_weights(self.weights(number), load_bundle(self.weights(number))[1]),
            **({"practised": _read(noted)} if noted.is_file() else {}),
            "each": [bool(episode["success"]) for episode in measures.episodes],
        }
        folder.mkdir(parents=True, exist_ok=True)
        write_record(scores, path=folder / SCORES)


def _read(path: Path) -> dict[str, Any]:
    found = json.loads(read_small(path, at_most=MAX_CONFIG_BYTES))
    return {name: value for name, value in found.items() if name != RECORD_SEAL}


def _draw(rounds: Sequence[Mapping[str, Any]], path: Path) -> Path:
    from dfplan.viz.curve import draw_curve  # matplotlib is slow to import; the scores come first

    return draw_curve(rounds, path=path)

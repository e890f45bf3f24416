"""What earns what? One thing is left out or put in at a time, in several worlds: trainings and evaluation."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record
from worlds import (
    CHOSEN,
    EPISODE_SEED,
    MIXED_POLICIES,
    ONE_SAMPLE,
    ROWS,
    SCRIPTED_GOALS,
    TRAININGS,
    Row,
    add_options,
    measure,
)

HERE = Path(__file__).parent
SIXTEEN = "planner.num_candidates=16"
NOT_CHOSEN = (SIXTEEN, "planner.roll_out=false", "planner.temperature=1000000")


@dataclass(frozen=True)
class World:
    """A task and how its own benchmark trains for it.

    Attributes:
        env_id: Gymnasium id.
        words: options of ``dfplan train``.
        without: rows that make no sense there.
    """

    env_id: str
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


# A token of 8 steps says where they lead, and no state on the way there that could be driven to.
A_CHUNK = (INVERSE_ROW := "states first, actions by inverse dynamics",)
WORLDS = {
    "pendulum": World("Pendulum-v1"),
    "reacher": World("Reacher-v5"),
    "hopper-mixed": World("Hopper-v5", MIXED_POLICIES),
    "walker2d-mixed": World("Walker2d-v5", MIXED_POLICIES),
    "halfcheetah-mixed": World("HalfCheetah-v5", MIXED_POLICIES),
    "fetch-push": World("FetchPush-v4", SCRIPTED_GOALS),
    "relocate-mixed": World("AdroitHandRelocate-v1", (*MIXED_POLICIES, "value.num_steps=3000"), A_CHUNK),
    "push-two-ways": World("metaworld/push-v3", without=A_CHUNK),
    "pusht": World("gym_pusht/PushT-v0", without=A_CHUNK),
}
# One thing is another than in ours. With one level for all, actions cannot be known while the rest is noise: nothing
# is rolled out.
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "one level": ("diffusion.levels=shared", "diffusion.actions_apart=0", "diffusion.actions_known=0"),
    "not causal": ("model.causal=false",),
    "value by least squares": ("value=features", "windows.collected_share=0"),
    "windows drawn alike": ("value=networks", "windows.collected_share=0"),
}
INVERSE = ("task=inverse-dynamics", "resynthesis=none")
WEIGHED_ALONE = ("value by least squares", "windows drawn alike")  # elsewhere these are what dfplan is
OWN_ROWS: Mapping[str, Row] = {
    "dfplan": ROWS["dfplan"],
    "one sample": Row("dfplan", ONE_SAMPLE),
    "one sample by one call": Row("dfplan", (*ONE_SAMPLE, "planner.num_levels=1")),
    "one sample by ten levels": Row("dfplan", (*ONE_SAMPLE, "planner.num_levels=10")),
    "mean of 16, not chosen": Row("dfplan", NOT_CHOSEN),
    "rolled out and chosen": Row("dfplan", CHOSEN),
    "not rolled out": Row("dfplan", (SIXTEEN, "planner.roll_out=false", "planner.temperature=0.1")),
    "best instead of mean": Row("dfplan", (SIXTEEN, "planner.roll_out=true", "planner.temperature=0")),
    "best of 64": Row("dfplan", ("planner.temperature=0", "planner.roll_out=false", "planner.num_candidates=64")),
    "tree": Row("dfplan", (SIXTEEN, "planner.search=tree", "planner.tree.max_nodes=16")),
    INVERSE_ROW: Row("dfplan", ("controller=inverse", "controller.replan_every=2"), {"controller.inverse": "inverse"}),
    "one level, one sample": Row("one level", (*ONE_SAMPLE, "planner.pyramid_offset=0")),
    "one level, chosen": Row("one level", ("planner.roll_out=false", "planner.pyramid_offset=0")),
    "not causal": Row("not causal"),
    "value by least squares": Row("value by least squares"),
    "windows drawn alike": Row("windows drawn alike"),
    "windows drawn alike, one sample": Row("windows drawn alike", ONE_SAMPLE),
    "behaviour cloning": ROWS["bc"],
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("world", choices=list(WORLDS))
    parser.add_argument("data", help="as data= of `dfplan train`: what the world's own benchmark made")
    add_options(parser, runs=Path("runs/what_earns_what"))


def results(arguments: argparse.Namespace) -> Named:
    """One world."""
    yield arguments.world, measure_world(arguments.world, arguments)


def changed(words: Sequence[str], by: Sequence[str]) -> tuple[str, ...]:
    """Options, where those of ``by`` stand in place of others of their name."""
    return tuple(f"{name}={value}" for name, value in dict(each.split("=", 1) for each in (*words, *by)).items())


def measure_world(name: str, arguments: argparse.Namespace) -> Record:
    """Every row of a world; what is weighed by advantage is left out where nothing is."""
    world = WORLDS[name]
    weighed = any(word == "value=advantage" for word in world.words)
    left_out = {title for title, row in OWN_ROWS.items() if row.training in WEIGHED_ALONE and not weighed}
    rows = {title: row for title, row in OWN_ROWS.items() if title not in left_out | set(world.without)}
    trainings = {"dfplan": world.words, "bc": TRAININGS["bc"], "inverse": INVERSE}
    trainings |= {variant: changed(world.words, words) for variant, words in VARIANTS.items()}
    found = measure(name, world.env_id, arguments.data, arguments, trainings=trainings, rows=rows)
    value = "success" if "success" in found["rows"]["dfplan"] else "return"
    return {
        "question": "what is lost where one thing is left out, and what is won where one is put in?",
        "figures": {f"{name}.{title}": row[value] for title, row in found["rows"].items()},
        "value": value,
        **found,
        "data": Path(arguments.data).name,
    }


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=50, seed=EPISODE_SEED)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

"""For which environments experts are published, where, and how lesser data is made of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dfplan.domains.published.lesser import Band

RL_TRAINED_AGENTS = "github.com/DLR-RM/rl-trained-agents (commit cd35bde, MIT)"
HAND_DAPG = "github.com/aravindr93/hand_dapg (commit 9a1de23, Apache-2.0)"
EARNING = (Band(0.05, 0.15), Band(0.15, 0.25), Band(0.25, 0.35), Band(0.35, 0.5), Band(0.5, 0.7))
FAILING = (Band(0.0, 0.1),) * 4
EXPERT = Band(1.0, 1.0)


@dataclass(frozen=True)
class World:
    """An environment with a published expert.

    Attributes:
        policy: which one it is.
        source: where it is published.
        scored_by_success: whether lesser policies are told by how often they succeed rather than by their return.
        strongest: disturbance of weights that is tried, in their standard deviations; small networks take more.
        num_steps: of a data set, unless something else is asked for.
        qualities: by the name of a data set, what share of the expert's score its policies have; they drive in equal
            parts.
        reference: D4RL's returns of actions at random and of its expert, 0 and 100 on its scale; None where its
            episodes are of another length.
        one_direction: whether all lesser policies of a data set are disturbed in the same direction, each as strongly
            as its share takes. Several directions can average out, and who learns the mean has the expert back.
    """

    policy: str
    source: str
    scored_by_success: bool
    strongest: float
    num_steps: int
    qualities: Mapping[str, tuple[Band, ...]]
    reference: tuple[float, float] | None
    one_direction: bool = False


def _locomotion(robot: str, reference: tuple[float, float], *, one_direction: bool = False) -> World:
    qualities = {"expert": (EXPERT,), "medium": (Band(0.35, 0.5),), "mixed": (*EARNING, EXPERT)}
    policy = f"tqc/{robot}-v3_1"
    return World(policy, RL_TRAINED_AGENTS, False, 0.5, 300_000, qualities, reference, one_direction)


def _hand(task: str, reference: tuple[float, float] | None) -> World:
    qualities = {"expert": (EXPERT,), "mixed": (*FAILING, EXPERT, EXPERT)}
    return World(f"dapg/policies/{task}-v0.pickle", HAND_DAPG, True, 2.0, 100_000, qualities, reference)


WORLDS: Mapping[str, World] = {  # references: d4rl/infos.py
    "Hopper-v5": _locomotion("Hopper", (-20.272305, 3234.3)),
    "Walker2d-v5": _locomotion("Walker2d", (1.629008, 4592.3)),
    # Cloning had 72 % of the expert of five directions, and has 39 % of one (benchmarks/locomotion).
    "HalfCheetah-v5": _locomotion("HalfCheetah", (-280.178953, 12135.0), one_direction=True),
    "AdroitHandDoor-v1": _hand("door", (-56.512833, 2880.5693087298737)),
    "AdroitHandHammer-v1": _hand("hammer", (-274.856578, 12794.134825156867)),
    "AdroitHandPen-v1": _hand("pen", None),  # D4RL's has 100 steps, and this one 200
    "AdroitHandRelocate-v1": _hand("relocate", (-6.425911, 4233.877797728884)),
}

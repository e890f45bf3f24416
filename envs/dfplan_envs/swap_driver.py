"""Drives the gripper that swaps two blocks: red to the third place, blue to where red was, red to where blue was."""

from typing import NamedTuple

import numpy as np

from dfplan_envs.swap_table import LOWEST, NUM_OWN, PLACES, REST, STRIDE

RED, BLUE = 0, 1
HIGH, LOW, PUT = 0.11, LOWEST, 0.032  # of the gripper: to carry a block over another, to grip one, to let go of one
OPEN, CLOSED = -1.0, 1.0
STAGES = ("above", "down", "close", "lift", "carry", "lower", "open", "raise")  # of one block's way
OFF = 0.012  # standard deviation, on either axis, of how far off its middle a block is taken; some are missed by it
PATIENCE = 5  # steps that going down may take
CARRYING, LOST = ("lift", "carry", "lower"), 0.045  # how far a block is from the gripper that does not hold it


class Aim(NamedTuple):
    """Where to, with which grip, how near that is near enough, and how many steps to stay there."""

    place: np.ndarray
    grip: float
    near: float
    stay: int = 0


class Swapper:
    """A driver that saw the beginning.

    Args:
        generator: how far off its middle a block is taken.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._off = self._draw_off()
        self._ways: list[tuple[int, np.ndarray]] = []  # block and where it goes
        self._done = self._stayed = self._tried = 0

    def __call__(self, observation: np.ndarray, goal: np.ndarray | None = None) -> np.ndarray:
        """The action ``(4,)`` where ``observation`` ``(10,)`` is seen; there are no goals."""
        hand, blocks = observation[:3], observation[NUM_OWN:].reshape(2, 3)
        if not self._ways:
            self._ways = self._plan(blocks)
        self._take_again(hand, blocks)
        aim = self._aim(hand, blocks)
        if np.linalg.norm(aim.place - hand) < aim.near:
            self._stayed += 1
            if self._stayed > aim.stay:
                self._done, self._stayed = self._done + 1, 0
                if self._done % len(STAGES) == 0:
                    self._off = self._draw_off()
                aim = self._aim(hand, blocks)
        return np.append(np.clip((aim.place - hand) / STRIDE, -1, 1), aim.grip)

    def _plan(self, blocks: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Which block goes where, three times."""
        at = [int(np.linalg.norm(PLACES - block[:2], axis=1).argmin()) for block in blocks]
        return [(RED, PLACES[len(PLACES) - sum(at)]), (BLUE, PLACES[at[RED]]), (RED, PLACES[at[BLUE]])]

    def _take_again(self, hand: np.ndarray, blocks: np.ndarray) -> None:
        """Go back to taking a block that was not gripped or was lost on the way, or that a finger came to stand on."""
        way, stage = divmod(self._done, len(STAGES))
        if way == len(self._ways):
            return
        lost = np.linalg.norm(blocks[self._ways[way][0]] - hand) > LOST
        self._tried = self._tried + 1 if STAGES[stage] == "down" else 0
        if (STAGES[stage] in CARRYING and lost) or self._tried > PATIENCE:
            self._done, self._stayed, self._off = way * len(STAGES), 0, self._draw_off()

    def _draw_off(self) -> np.ndarray:
        return self._generator.normal(0, OFF, 2)

    def _aim(self, hand: np.ndarray, blocks: np.ndarray) -> Aim:
        """Where the gripper is to be now."""
        way, stage = divmod(self._done, len(STAGES))
        if way == len(self._ways):
            return Aim(REST, OPEN, 0.0)
        block, to = self._ways[way]
        over, there = blocks[block, :2] + self._off, hand[:2]
        to = to + there - blocks[block, :2]  # for the block to come to its place
        aims = {
            "above": Aim(np.append(over, HIGH), OPEN, 0.02),
            "down": Aim(np.append(over, LOW), OPEN, 0.012),
            "close": Aim(np.append(over, LOW), CLOSED, 0.03, stay=2),
            "lift": Aim(np.append(there, HIGH), CLOSED, 0.03),
            "carry": Aim(np.append(to, HIGH), CLOSED, 0.015),
            "lower": Aim(np.append(to, PUT), CLOSED, 0.012),
            "open": Aim(np.append(there, PUT), OPEN, 0.05, stay=1),
            "raise": Aim(np.append(there, HIGH), OPEN, 0.03),
        }
        return aims[STAGES[stage]]

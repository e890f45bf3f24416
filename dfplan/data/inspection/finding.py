"""What an inspection finds: where, what, and how to mend it."""

from dataclasses import dataclass

import numpy as np

from dfplan.types import Trajectories

NUM_NAMED = 5  # episodes or dimensions, in a line


@dataclass(frozen=True)
class Finding:
    """One kind of fault, however often it is there.

    Attributes:
        kind: a word or two, such as "jumps".
        where: the first place, such as "episode 3, row 17", or "" where it is the whole data set.
        said: what was found there.
        fix: what to do about it.
        wrong: the data contradict themselves; otherwise it is unusual and may be meant.
    """

    kind: str
    where: str
    said: str
    fix: str
    wrong: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.said}; {self.fix}" if self.where else f"{self.said}; {self.fix}"


def name_of(data: Trajectories, dimension: int, *, of: str = "observation") -> str:
    """A dimension by its name in the data, or by its number."""
    names = data.observation_names if of == "observation" else data.action_names
    return f"{of} {names[dimension]!r}" if names else f"{of} {dimension}"


def listed(numbers: np.ndarray) -> str:
    """The first numbers of a list, and how many more there are."""
    shown = ", ".join(str(each) for each in numbers[:NUM_NAMED])
    return shown if len(numbers) <= NUM_NAMED else f"{shown} and {len(numbers) - NUM_NAMED} more"

"""Too little memory, in one line that names what to reduce; and what goes wrong in parts of installed packages."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

from dfplan import plugins
from dfplan.errors import CodeOfOthers, EndedEarly, UserError

# What torch, CUDA, MPS and C++ say; torch raises a RuntimeError for it on the CPU.
WORDS = re.compile(r"out of memory|can.?t allocate memory|cannot allocate memory|not enough memory|bad_alloc", re.I)
OPTIONS = {
    "train": ("training.batch_size", "resynthesis.num_steps", "training.accumulation"),
    "eval": ("n_envs", "planner.num_candidates", "planner.tree.num_siblings"),
    "record": ("n_episodes", "n_envs", "planner.num_candidates"),
    "evolve": ("n_episodes", "n_envs", "planner.num_candidates"),
    "bench": ("n_envs",),
    "forecast": ("num_futures", "num_steps"),
    "plan": ("planner.num_candidates", "planner.tree.num_siblings"),
    "export": ("planner.num_candidates",),
    "generate": ("num_steps",),
}
SHARED_OUT = "training.accumulation"  # more of it takes less


@contextmanager
def told_in_one_line(command: str, config: Any) -> Iterator[None]:
    """Turn a lack of memory in the block into one line that names the options that decide how much is needed.

    Raises:
        UserError: there is too little memory, or code of a package that brings parts raised something.
    """
    try:
        yield
    except (UserError, EndedEarly):
        raise
    except Exception as error:
        if _is_lack_of_memory(error):
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"out of memory ({reason}); {_advice(command, config)}") from error
        if (package := plugins.package_of(error)) is None:
            raise
        with CodeOfOthers(f"the installed package {package}"):
            raise


def _is_lack_of_memory(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(WORDS.search(str(error))))


def _advice(command: str, config: Any) -> str:
    values = {name: _value(config, name) for name in OPTIONS[command]}
    if _value(config, "planner.search") != "tree":
        values.pop("planner.tree.num_siblings", None)
    options = [
        f"{'raise' if name == SHARED_OUT else 'lower'} {name} (now {value})"
        for name, value in values.items()
        if isinstance(value, int) and (value > 1 or name == SHARED_OUT)
    ]
    return " or ".join([*options, "free some memory"])


def _value(config: Any, name: str) -> Any:
    return reduce(lambda part, key: getattr(part, key, None), name.split("."), config)

"""The maze of two ways as a domain: one is closed, which is seen at the start alone, and a goal is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.maze.demonstrations import demonstrate_closed_door

NUM_STEPS = 128_000
NOISE = 0.5


class ClosedDoorDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`; its data may be generated."""

    procedure = frozenset({"noise"})

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        seed: int,
        noise: float = NOISE,
        **how: Any,
    ) -> None:
        """See :class:`dfplan.domain.Domain`: a driver that knows which way is open, and does not show it at first."""
        from dfplan.data.formats import write  # slow to import

        steps = num_steps or NUM_STEPS
        data = demonstrate_closed_door(num_steps=steps, seed=seed, noise=noise, on_progress=on_progress)
        path.unlink(missing_ok=True)
        write(data, path)

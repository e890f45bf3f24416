"""The maze of two ways as a domain: one is closed, which is seen at the start alone, and a goal is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.maze.sources import generated_file
from dfplan.errors import UserError
from dfplan.types import Trajectories


class ClosedDoorDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`; its data may be generated."""

    def load(
        self, source: str, *, say: Callable[[str], None], cache_folder: Path | None = None, **how: Any
    ) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        if source == "generated" and cache_folder is not None:
            found = generated_file(cache_folder, env_id=self.env_id)
            if not found.is_file():
                raise UserError(f"nothing is generated yet: run `dfplan generate env={self.env_id[:-3]}` first")
            source = str(found)
        return super().load(source, say=say, **how)

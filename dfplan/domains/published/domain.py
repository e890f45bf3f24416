"""Environments with a published expert, as a domain: any of Gymnasium's, and data can be made."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from dfplan.domains.episodes import EpisodeProtocol
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.published.drive import Driver
from dfplan.domains.published.policy import FORMAT, Policy, read_policy
from dfplan.domains.published.worlds import WORLDS
from dfplan.errors import UserError
from dfplan.files import user_path

PROCEDURE = (
    "the published policy, sampled, and the same with its weights disturbed until it has a wanted share of its score, "
    "in equal parts, the poorest first"
)
PACKAGES = ("dfplan", "gymnasium", "mujoco", "numpy")


class PublishedDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`.

    Args:
        env_id: of :data:`~dfplan.domains.published.worlds.WORLDS`.
    """

    procedure = frozenset({"quality", "policy"})

    def __init__(self, env_id: str) -> None:
        super().__init__(env_id)
        self.world = WORLDS[env_id]

    def protocol(self, **options: str) -> EpisodeProtocol:
        """See :class:`dfplan.domain.Domain`; returns on D4RL's scale, too."""
        return EpisodeProtocol(self, reference=self.world.reference)

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        seed: int,
        quality: str | None = None,
        policy: str | None = None,
    ) -> None:
        """See :class:`dfplan.domain.Domain`: the expert drives, and others like it with disturbed weights."""
        from dfplan.data.d4rl_file import write_d4rl  # slow to import
        from dfplan.domains.published.record import record_policies

        if quality is None or quality not in self.world.qualities:
            known = ", ".join(self.world.qualities)
            raise UserError(f"quality= must be one of {known} for data of {self.env_id}; got {quality or 'none'}")
        expert, checksum = self._read_expert(policy)
        total, env = num_steps or self.world.num_steps, self.make()
        try:
            arrays, facts = record_policies(
                Driver(env, self.observation),
                expert,
                self.world.qualities[quality],
                num_steps=total,
                seed=seed,
                by_success=self.world.scored_by_success,
                on_progress=on_progress,
                say=say,
            )
        finally:
            env.close()
        metadata = {
            "env_id": self.env_id,
            "quality": quality,
            "num_steps": total,
            "seed": seed,
            "regenerated": True,
            "procedure": PROCEDURE,
            "expert": {"policy": self.world.policy, "source": self.world.source, "file_sha256": checksum},
            "policies": facts,
            "versions": {name: version(name) for name in PACKAGES},
        }
        write_d4rl(path, arrays, metadata=metadata)

    def _read_expert(self, policy: str | None) -> tuple[Policy, str]:
        if policy is None:
            raise UserError(
                f"policy= must name a file with the expert of {self.env_id}: {self.world.policy} of "
                f"{self.world.source}, its numbers converted; {FORMAT}"
            )
        sizes = {"observation_dim": self.spec.observation_dim, "action_dim": self.spec.action_bounds.low.size}
        return read_policy(user_path(policy), **sizes, env_id=self.env_id)

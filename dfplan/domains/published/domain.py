"""Environments with a published expert, as a domain: any of Gymnasium's, and data can be made."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from dfplan.domains.episodes import EpisodeProtocol
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.published.drive import Driver
from dfplan.domains.published.lesser import MANY, Band
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
        from dfplan.domains.published.record import judge_expert, record_policies, scored

        published, origin = self._read_expert(policy)
        bands, total = self._shares(quality), num_steps or self.world.num_steps
        if total < len(bands):
            raise UserError(f"num_steps must be at least {len(bands)}, one for each policy of {quality}; got {total}")
        env = self.make()
        on_progress(0, total)
        try:
            driver = Driver(env, self.observation)
            trial = scored(driver, by_success=self.world.scored_by_success, seed=seed)
            expert = judge_expert(published, trial)
            say(self._told(expert.score))
            arrays, facts = record_policies(
                driver,
                expert,
                bands,
                world=self.world,
                trial=trial,
                num_steps=total,
                seed=seed,
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
            "expert": origin,
            "policies": facts,
            "versions": {name: version(name) for name in PACKAGES},
        }
        write_d4rl(path, arrays, metadata=metadata)

    def _told(self, score: float) -> str:
        if self.world.scored_by_success:
            return f"policy= succeeds in {score:.0%} of {MANY} episodes"
        told = f"policy= earns {score:.5g}, the mean of {MANY} episodes"
        if self.world.reference is None:
            return told
        random, expert = self.world.reference
        return f"{told}: {100 * (score - random) / (expert - random):.1f} on D4RL's scale, where 100 is an expert"

    def _shares(self, quality: str | None) -> tuple[Band, ...]:
        known = self.world.qualities
        if quality is None or quality not in known:
            raise UserError(
                f"quality= must be one of {', '.join(known)} for data of {self.env_id}; got {quality or 'none'}"
            )
        return known[quality]

    def _read_expert(self, policy: str | None) -> tuple[Policy, dict[str, str]]:
        if policy is None:
            raise UserError(
                f"policy= must name a file with the expert of {self.env_id}: {self.world.policy} of "
                f"{self.world.source}, its numbers converted; {FORMAT}"
            )
        sizes = {"observation_dim": self.spec.observation_dim, "action_dim": self.spec.action_bounds.low.size}
        return read_policy(user_path(policy), **sizes, env_id=self.env_id)

"""What can be set of the policy, in LeRobot's way: ``--policy.type=dfplan --policy.weights=…``."""

from dataclasses import dataclass, field

from lerobot.configs import FeatureType, NormalizationMode, PreTrainedConfig
from lerobot.optim import AdamWConfig

from dfplan.domains.former import present_choice

CONTROLLERS = ("shooting", "actions")


@PreTrainedConfig.register_subclass("dfplan")
@dataclass
class DfplanConfig(PreTrainedConfig):
    """Settings of :class:`~lerobot_policy_dfplan.DfplanPolicy`; None is as ``dfplan eval`` has it for such weights.

    Args:
        weights: as of ``dfplan.load``: a name that comes with dfplan, a folder, or ``hf://<owner>/<name>``.
        observation_features: entries of a batch that are, one behind the other, what the weights observe; in each,
            the last ``n_obs_steps`` steps, the oldest first. None is the one vector that is shown beside the goal.
        goal_feature: entry of a batch that is the goal, of weights that know goals.
        goal: the goal of all episodes, of robots that show none.
        controller: ``shooting`` drives along the planned path, ``actions`` plays the planned actions.
        horizon: steps that a plan looks ahead.
        chunk_size: actions that ``predict_action_chunk`` returns at most.
        replan_every: steps between two plans.
        num_candidates: plans denoised side by side, of which one is chosen.
        seed: of the plans' noise.
        normalization_mapping: nothing is normalised outside: the statistics are part of the weights.
    """

    weights: str = ""
    observation_features: list[str] | None = None
    goal_feature: str = "observation.environment_state"
    goal: list[float] | None = None
    controller: str | None = None
    horizon: int | None = None
    chunk_size: int = 64
    replan_every: int | None = None
    num_candidates: int | None = None
    seed: int = 0
    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: dict.fromkeys(("STATE", "ENV", "ACTION"), NormalizationMode.IDENTITY)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.controller is not None:
            self.controller = present_choice("controller", self.controller)  # policies of before had other names
        if self.controller not in (None, *CONTROLLERS):
            raise ValueError(f"controller must be one of {', '.join(CONTROLLERS)}; got {self.controller!r}")
        for name in ("n_obs_steps", "horizon", "chunk_size", "replan_every", "num_candidates"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1; got {value}")

    @property
    def observation_delta_indices(self) -> list[int]:
        """The last steps that are observed."""
        return list(range(1 - self.n_obs_steps, 1))

    @property
    def action_delta_indices(self) -> list[int]:
        """The actions of a chunk."""
        return list(range(self.chunk_size))

    @property
    def reward_delta_indices(self) -> None:
        """No rewards."""
        return

    def get_optimizer_preset(self) -> AdamWConfig:
        """LeRobot asks for one, though it does not train this policy."""
        return AdamWConfig(lr=1e-4)

    def get_scheduler_preset(self) -> None:
        """None."""
        return

    @property
    def vectors(self) -> dict[str, int]:
        """Numbers in each vector that the robot shows, by name."""
        kinds = (FeatureType.STATE, FeatureType.ENV)
        shown = (self.input_features or {}).items()
        return {name: feature.shape[0] for name, feature in shown if feature.type in kinds and len(feature.shape) == 1}

    def validate_features(self) -> None:
        """See that a vector is observed, and that there is an action.

        Raises:
            ValueError: one of them is missing.
        """
        if not self.vectors or self.action_feature is None:
            raise ValueError(
                "dfplan needs vectors in the input features, such as observation.state, and the output feature action; "
                f"got {sorted(self.input_features or {})} and {sorted(self.output_features or {})}"
            )

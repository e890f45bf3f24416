"""What can be set of the policy, in LeRobot's way: ``--policy.type=dfplan --policy.weights=…``."""

from dataclasses import dataclass, field

from lerobot.configs import FeatureType, NormalizationMode, PreTrainedConfig
from lerobot.optim import AdamWConfig

CONTROLLERS = ("pursuit", "actions")


@PreTrainedConfig.register_subclass("dfplan")
@dataclass
class DfplanConfig(PreTrainedConfig):
    """Settings of :class:`~lerobot_policy_dfplan.DfplanPolicy`.

    Args:
        weights: folder of a dfplan bundle (``model.json`` and ``model.safetensors``).
        controller: ``pursuit`` drives along the planned path, ``actions`` plays the planned actions.
        horizon: steps that a plan looks ahead.
        chunk_size: actions that ``predict_action_chunk`` returns.
        replan_every: steps between two plans.
        num_candidates: plans denoised side by side, of which one is chosen.
        seed: of the plans' noise.
        normalization_mapping: nothing is normalised outside: the statistics are part of the weights.
    """

    weights: str = ""
    controller: str = "pursuit"
    horizon: int = 800
    chunk_size: int = 64
    replan_every: int = 32
    num_candidates: int = 16
    seed: int = 0
    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: dict.fromkeys(("STATE", "ENV", "ACTION"), NormalizationMode.IDENTITY)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.controller not in CONTROLLERS:
            raise ValueError(f"controller must be one of {', '.join(CONTROLLERS)}; got {self.controller!r}")
        if not 1 <= self.chunk_size <= self.horizon:
            raise ValueError(f"chunk_size must lie between 1 and horizon; got {self.chunk_size} and {self.horizon}")

    @property
    def observation_delta_indices(self) -> None:
        """The present observation alone."""
        return

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

    def validate_features(self) -> None:
        """See that there are a state, a goal and an action.

        Raises:
            ValueError: one of them is missing.
        """
        kinds = {feature.type for feature in (self.input_features or {}).values()}
        if FeatureType.STATE not in kinds or FeatureType.ENV not in kinds or self.action_feature is None:
            raise ValueError(
                "dfplan needs the input features observation.state (position and velocity) and "
                "observation.environment_state (the goal), and the output feature action; "
                f"got {sorted(self.input_features or {})} and {sorted(self.output_features or {})}"
            )

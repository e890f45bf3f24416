"""Of ``lerobot.configs``: the registry of policies, features, and what a configuration must define."""

import abc
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path


class FeatureType(StrEnum):
    STATE = "STATE"
    ENV = "ENV"
    ACTION = "ACTION"


class NormalizationMode(StrEnum):
    IDENTITY = "IDENTITY"
    MEAN_STD = "MEAN_STD"


@dataclass
class PolicyFeature:
    type: FeatureType
    shape: tuple[int, ...]


@dataclass
class PreTrainedConfig(abc.ABC):
    input_features: dict[str, PolicyFeature] | None = field(default_factory=dict)
    output_features: dict[str, PolicyFeature] | None = field(default_factory=dict)
    n_obs_steps: int = 1
    device: str | None = None

    registry = {}  # noqa: RUF012

    def __post_init__(self):
        self.device = self.device or "cpu"

    @classmethod
    def register_subclass(cls, name):
        def register(subclass):
            cls.registry[name] = subclass
            return subclass

        return register

    @classmethod
    def get_choice_class(cls, name):
        return cls.registry[name]

    @property
    def type(self):
        return next(name for name, each in self.registry.items() if each is type(self))

    @property
    def action_feature(self):
        found = (self.output_features or {}).get("action")
        return found if found is not None and found.type is FeatureType.ACTION else None

    def _save_pretrained(self, save_directory):
        (Path(save_directory) / "config.json").write_text(json.dumps({"type": self.type} | asdict(self)))

    @classmethod
    def from_pretrained(cls, folder, **_):
        content = json.loads((Path(folder) / "config.json").read_text())
        subclass = cls.registry[content.pop("type")]
        for name in ("input_features", "output_features"):
            content[name] = {
                key: PolicyFeature(FeatureType(each["type"]), tuple(each["shape"]))
                for key, each in content[name].items()
            }
        return subclass(**content)

    @property
    @abc.abstractmethod
    def observation_delta_indices(self): ...

    @property
    @abc.abstractmethod
    def action_delta_indices(self): ...

    @property
    @abc.abstractmethod
    def reward_delta_indices(self): ...

    @abc.abstractmethod
    def get_optimizer_preset(self): ...

    @abc.abstractmethod
    def get_scheduler_preset(self): ...

    @abc.abstractmethod
    def validate_features(self): ...

"""Of ``lerobot.policies``: the base class with its checks and abstract methods."""

import abc
from pathlib import Path

from torch import nn

from lerobot.configs import PreTrainedConfig


class PreTrainedPolicy(nn.Module, abc.ABC):
    config_class = None
    name = None

    def __init__(self, config, *inputs, **kwargs):
        super().__init__()
        if not isinstance(config, PreTrainedConfig):
            raise ValueError("config must be a PreTrainedConfig")
        self.config = config

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if not getattr(cls, "config_class", None):
            raise TypeError(f"Class {cls.__name__} must define 'config_class'")
        if not getattr(cls, "name", None):
            raise TypeError(f"Class {cls.__name__} must define 'name'")

    def save_pretrained(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._save_pretrained(Path(folder), state_dict=None)

    def supports_rtc(self):
        return False

    @abc.abstractmethod
    def get_optim_params(self): ...

    @abc.abstractmethod
    def reset(self): ...

    @abc.abstractmethod
    def forward(self, batch): ...

    @abc.abstractmethod
    def predict_action_chunk(self, batch, **kwargs): ...

    @abc.abstractmethod
    def select_action(self, batch, **kwargs): ...

"""Of ``lerobot.optim``: one preset."""

from dataclasses import dataclass


@dataclass
class AdamWConfig:
    lr: float = 1e-3
    weight_decay: float = 1e-2

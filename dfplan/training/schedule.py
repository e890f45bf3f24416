"""The learning-rate schedule: a pure function of the step, so a checkpoint need not store it."""

import math

from dfplan.settings.training import Decay


def learning_rate_multiplier(
    step: int, *, num_steps: int, warmup_steps: int, decay: Decay, decay_start: float
) -> float:
    """Return what every group's own learning rate is multiplied by at ``step`` (0 is the first).

    Linear warm-up over ``warmup_steps``, then 1 until ``decay_start * num_steps``, then down to 0 at ``num_steps``
    (never reached: the last step is ``num_steps - 1``). Where warm-up and decay overlap their product is taken.
    """
    warmup = min(1.0, (step + 1) / (warmup_steps + 1))
    begin = decay_start * num_steps
    progress = max(0.0, (step - begin) / (num_steps - begin)) if num_steps > begin else 0.0
    match decay:
        case "constant":
            return warmup
        case "linear":
            return warmup * (1.0 - progress)
        case "cosine":
            return warmup * 0.5 * (1.0 + math.cos(math.pi * progress))
        case _:
            raise ValueError(f"decay must be cosine, linear or constant; got {decay!r}")

"""Meta-World's tasks as Gymnasium has environments: another configuration every episode, by its seed, the goal shown.

Meta-World freezes its configuration, hides the goal, ignores the seed of a reset, and goes on for 500 steps.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan.errors import UserError

TASKS = (
    "reach",
    "push",
    "pick-place",
    "door-open",
    "drawer-open",
    "peg-insert-side",
    "button-press",
    "window-open",
    "hammer",
    "assembly",
)
TEN = "metaworld/ten"
NUM_SHOWN = 39  # numbers: hand, fingers and objects, now and a step ago, and the goal
EPISODE_STEPS = 200  # the scripted policies need 36 to 160, and where they do not succeed by then, not by 500 either
STEP_SECONDS = 0.0125
FAILS_FROM = (3, 17)  # of MuJoCo
INSTALL = "pip install 'dfplan[metaworld]' in an environment of its own"


class MetaWorld(gymnasium.Env):
    """One task of several, drawn anew with every reset; an episode is cut off with its first success.

    It would go on earning, so this is a truncation. What is observed are Meta-World's 39 numbers, and, of several
    tasks, which it is: a one-hot behind them.

    Args:
        tasks: of :data:`TASKS`.
        render_mode: as Meta-World has them.

    Raises:
        UserError: Meta-World is not installed, or does not run on the MuJoCo that is.
    """

    metadata = {"render_modes": ["human", "rgb_array", "depth_array"], "render_fps": 80}  # noqa: RUF012
    dt = STEP_SECONDS

    def __init__(self, tasks: Sequence[str], render_mode: str | None = None) -> None:
        check_installed()
        self.tasks, self.render_mode = tuple(tasks), render_mode
        self.action_space = spaces.Box(-1, 1, (4,), np.float32)
        self._marks = np.eye(len(tasks)) if len(tasks) > 1 else np.zeros((1, 0))
        # Meta-World's own space is that of a hidden goal, and of a hand that no reset puts elsewhere.
        self.observation_space = spaces.Box(-np.inf, np.inf, (NUM_SHOWN + self._marks.shape[1],), np.float64)
        self._made: dict[str, Any] = {}
        self._task = tasks[0]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Begin; ``options`` may name the ``task``."""
        super().reset(seed=seed)
        self._task = (options or {}).get("task") or self.tasks[self.np_random.integers(len(self.tasks))]
        if self._task not in self.tasks:
            raise UserError(f"task must be one of {', '.join(self.tasks)}; got {self._task}")
        env = self._env()
        env.seed(int(self.np_random.integers(2**31)))
        shown, _ = env.reset()
        space = env.sawyer_observation_space
        return self._marked(np.clip(shown, space.low, space.high)), {"task": self._task}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """A step of the task; ``info`` tells success."""
        shown, reward, _, truncated, info = self._env().step(action)
        return self._marked(shown), float(reward), False, truncated or bool(info["success"]), info

    def render(self) -> Any:
        """As Meta-World draws it."""
        return self._env().render()

    def close(self) -> None:
        """Close the environments of all tasks."""
        for env in self._made.values():
            env.close()

    def _marked(self, shown: np.ndarray) -> np.ndarray:
        return np.concatenate([shown, self._marks[self.tasks.index(self._task)]])

    def _env(self) -> Any:
        """Meta-World's own environment of the present task, made when it is first wanted."""
        if self._task not in self._made:
            from metaworld.env_dict import ALL_V3_ENVIRONMENTS  # pyright: ignore[reportMissingImports] - an extra

            env = ALL_V3_ENVIRONMENTS[f"{self._task}-v3"](render_mode=self.render_mode)
            env._freeze_rand_vec, env.seeded_rand_vec, env._set_task_called = False, True, True
            env._partially_observable = False
            del env.sawyer_observation_space  # computed once, when the goal was hidden: it would clip the goal to 0
            self._made[self._task] = env
        return self._made[self._task]


def check_installed() -> None:
    """Refuse what Meta-World does not run with.

    Raises:
        UserError: it is not installed, or MuJoCo is too new.
    """
    try:
        import metaworld  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"Meta-World lacks a package ({error}): {INSTALL}") from error
    found = version("mujoco")
    if tuple(map(int, found.split(".")[:2])) >= FAILS_FROM:
        raise UserError(f"Meta-World does not run on MuJoCo {found}, but on 3.3 to 3.16: {INSTALL}")


def register() -> None:
    """Have Gymnasium know ``metaworld/push-v3``, the others and ``metaworld/ten``, installed or not."""
    if TEN in gymnasium.registry:
        return
    ids = {f"metaworld/{task}-v3": (task,) for task in TASKS} | {TEN: TASKS}
    for env_id, tasks in ids.items():
        gymnasium.register(
            env_id, lambda **given: MetaWorld(**given), max_episode_steps=EPISODE_STEPS, kwargs={"tasks": tasks}
        )

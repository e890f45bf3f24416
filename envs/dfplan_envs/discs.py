"""A disc is driven about a box among three others that hang on springs: several things move, and they meet."""

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's Python module is compiled and comes without type stubs.)

from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from dfplan_envs.discs_picture import IMAGE_SIZE, draw
from dfplan_envs.discs_table import HOMES, NUM_PLACES, RADII, REACH
from dfplan_envs.episodes import check_options
from dfplan_envs.maze_env import check_actions, check_render_mode

STRIDE = 0.15  # how far the driven disc is sent in a step, at most, on either axis
FAR = 0.1  # from home, to count as moved
STIFFNESS = (6.0, 12.0, 20.0)  # of the springs; the discs swing in 2.6, 1.8 and 1.4 seconds
DAMPING = 1.2
SUBSTEPS, TIMESTEP = 10, 0.01
NEAR, HOME_SHARE = 0.3, 0.8  # of the driver: how near a target is near enough; how often the next is where a disc hangs


def _disc(name: str, radius: float, joint: str, home: tuple[float, float] = (0.0, 0.0)) -> str:
    return f"""
    <body name="{name}">
      <joint name="{name}-x" type="slide" axis="1 0 0" springref="{home[0]}" {joint}/>
      <joint name="{name}-y" type="slide" axis="0 1 0" springref="{home[1]}" {joint}/>
      <geom type="sphere" size="{radius}" mass="1"/>
    </body>"""


def _swinging(number: int) -> str:
    joint = f'stiffness="{STIFFNESS[number]}" damping="{DAMPING}"'
    return _disc(f"swinging-{number}", RADII[1 + number], joint, tuple(HOMES[number]))


_MODEL = f"""
<mujoco model="discs">
  <option timestep="{TIMESTEP}" integrator="implicitfast" gravity="0 0 0"/>
  <default><geom friction="0 0 0" condim="1" solref="0.05 0.5"/></default>
  <worldbody>
    {_disc("driven", RADII[0], f'range="{-REACH} {REACH}" limited="true"')}
    {"".join(_swinging(number) for number in range(3))}
  </worldbody>
  <actuator>
    <position joint="driven-x" kp="150" dampratio="1"/>
    <position joint="driven-y" kp="150" dampratio="1"/>
  </actuator>
</mujoco>
"""


class DiscsEnv(gymnasium.Env):
    """One disc is driven, and pushes three others off the places where springs hold them; they swing back.

    Observation: the places ``(x, y)`` of the driven disc and of the three others, and their velocities, ``(16,)``.
    Action: how far the driven disc is sent from where it was sent before, on either axis, in shares of 0.15: ``(2,)``.
    Reward: 1 where all three are further than 0.1 from home, else 0. ``info`` tells it as ``is_success``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium declares it so)
    dt = SUBSTEPS * TIMESTEP  # seconds of a step

    def __init__(self, *, render_mode: str | None = None) -> None:
        """Build the environment.

        Args:
            render_mode: None or "rgb_array".
        """
        self.render_mode = check_render_mode(render_mode)
        largest = np.array([2.0] * NUM_PLACES + [30.0] * NUM_PLACES, np.float32)
        self.observation_space: spaces.Space = spaces.Box(-largest, largest)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._model = mujoco.MjModel.from_xml_string(_MODEL)
        self._data = mujoco.MjData(self._model)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin with the driven disc somewhere in the middle, and the others a little off their homes, at rest.

        Args:
            seed: restarts the random numbers; None goes on with them.
            options: there are none.

        Raises:
            ValueError: an option.
        """
        super().reset(seed=seed)
        check_options(options, allowed=())
        mujoco.mj_resetData(self._model, self._data)
        self._target = self.np_random.uniform(-0.1, 0.1, 2)
        self._data.qpos[:] = np.concatenate(
            [self._target, (HOMES + self.np_random.uniform(-0.05, 0.05, (3, 2))).ravel()]
        )
        self._data.ctrl[:] = self._target
        mujoco.mj_forward(self._model, self._data)
        return self._shown(self._look()), {"is_success": False}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance 0.1 s.

        Raises:
            ValueError: the action is not two finite numbers.
        """
        action = check_actions(action, shape=(2,))
        self._target = np.clip(self._target + STRIDE * np.clip(action, -1, 1), -REACH, REACH)
        self._data.ctrl[:] = self._target
        mujoco.mj_step(self._model, self._data, SUBSTEPS)
        state = self._look()
        away = np.linalg.norm(state[2:NUM_PLACES].reshape(3, 2) - HOMES, axis=1)
        success = bool((away > FAR).all())
        return self._shown(state), float(success), False, False, {"is_success": success}

    @staticmethod
    def driver(generator: np.random.Generator) -> Callable[..., np.ndarray]:
        """Who drives an episode: from place to place, most often to where a disc hangs."""
        target = np.zeros(2)

        def drive(observation: np.ndarray, goal: np.ndarray | None = None) -> np.ndarray:
            nonlocal target
            if np.linalg.norm(target - observation[:2]) < NEAR:
                near = HOMES[generator.integers(3)] + generator.normal(0, 0.15, 2)
                target = near if generator.random() < HOME_SHARE else generator.uniform(-1, 1, 2)
            return np.clip((target - observation[:2]) / (3 * STRIDE), -1, 1)

        return drive

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return a picture ``(64, 64, 3)`` uint8 from above where ``render_mode`` is "rgb_array", else None."""
        return None if self.render_mode is None else draw(self._look()[None])[0]

    def _shown(self, state: np.ndarray) -> Any:
        """The observation of a state."""
        return state

    def _look(self) -> np.ndarray:
        """The state ``(16,)``."""
        return np.concatenate([self._data.qpos, self._data.qvel]).astype(np.float32)


class PixelDiscsEnv(DiscsEnv):
    """The same by sight: ``image`` from above ``(64, 64, 3)`` uint8, and nothing else."""

    def __init__(self, **arguments: Any) -> None:
        """Build the environment; see :class:`DiscsEnv` for the arguments."""
        super().__init__(**arguments)
        self.observation_space = spaces.Dict({"image": spaces.Box(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)})

    @staticmethod
    def observe(states: np.ndarray) -> dict[str, np.ndarray]:
        """What is seen in states ``(n, 16)``."""
        return {"image": draw(states)}

    def _shown(self, state: np.ndarray) -> Any:
        return {"image": draw(state[None])[0]}

"""A gripper over three places is to swap two blocks, and nothing but its own past says how far it is with that."""

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's Python module is compiled and comes without type stubs.)

from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from dfplan_envs.episodes import check_options
from dfplan_envs.maze_env import check_actions, check_render_mode
from dfplan_envs.swap_driver import Swapper
from dfplan_envs.swap_picture import IMAGE_SIZE, draw
from dfplan_envs.swap_table import BLOCK, LOWEST, NUM_OWN, PLACES, REST, STRIDE

LOW = np.array([-0.2, -0.2, LOWEST])  # between which the gripper moves; metres, as everything here
HIGH = np.array([0.2, 0.1, 0.18])
WIDEST = 0.05  # of a finger from the middle, open
NEAR_PLACE, NEAR_REST, AWAY = 0.03, 0.035, 0.08
SUBSTEPS, TIMESTEP = 20, 0.005

_MODEL = f"""
<mujoco model="swap">
  <option timestep="{TIMESTEP}" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <default>
    <geom friction="1.5 0.05 0.001" condim="4" solref="0.01 1"/>
    <default class="hand"><joint type="slide" damping="20"/></default>
  </default>
  <worldbody>
    <geom name="table" type="plane" size="1 1 0.1"/>
    <body name="hand" gravcomp="1">
      <joint class="hand" name="x" axis="1 0 0"/>
      <joint class="hand" name="y" axis="0 1 0"/>
      <joint class="hand" name="z" axis="0 0 1"/>
      <geom type="box" size="0.02 0.05 0.01" pos="0 0 0.06" mass="0.5" contype="0" conaffinity="0"/>
      <body name="left" gravcomp="1">
        <joint class="hand" name="left" axis="0 1 0" range="0 {WIDEST}" limited="true"/>
        <geom type="box" size="0.012 0.006 0.03" pos="0 0.006 0.02" mass="0.1"/>
      </body>
      <body name="right" gravcomp="1">
        <joint class="hand" name="right" axis="0 -1 0" range="0 {WIDEST}" limited="true"/>
        <geom type="box" size="0.012 0.006 0.03" pos="0 -0.006 0.02" mass="0.1"/>
      </body>
    </body>
    <body name="red"><freejoint/><geom type="box" size="{BLOCK} {BLOCK} {BLOCK}" mass="0.05"/></body>
    <body name="blue"><freejoint/><geom type="box" size="{BLOCK} {BLOCK} {BLOCK}" mass="0.05"/></body>
  </worldbody>
  <actuator>
    <position joint="x" kp="600" dampratio="1"/>
    <position joint="y" kp="600" dampratio="1"/>
    <position joint="z" kp="600" dampratio="1"/>
    <position joint="left" kp="200" dampratio="1" forcerange="-6 6"/>
    <position joint="right" kp="200" dampratio="1" forcerange="-6 6"/>
  </actuator>
</mujoco>
"""


class SwapEnv(gymnasium.Env):
    """Two blocks stand at two of three places; they are to change places, by way of the third, and the gripper to rest.

    Whoever has not seen the beginning does not know whether what stands there is to be swapped, half swapped or done.
    With the gripper back at rest the episode ends, with reward 1 if the blocks have swapped places.

    Observation: where the gripper is ``(x, y, z)``, how far its fingers are apart, and the places ``(x, y, z)`` of the
    red block and of the blue one, ``(10,)``. Action: displacement of the gripper in shares of 0.05 m, and the grip,
    from open, -1, to closed, 1: ``(4,)``.

    With probability ``disturbed_share``, each observation by itself, what is seen is noise: drawn uniformly from the
    observation space; by sight the picture alone. The noise does not depend on the actions.

    ``info`` of reset and step: ``is_success`` and ``disturbed``, whether this observation is noise.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium declares it so)
    dt = SUBSTEPS * TIMESTEP  # seconds of a step

    def __init__(self, *, disturbed_share: float = 0.0, render_mode: str | None = None) -> None:
        """Build the environment.

        Args:
            disturbed_share: probability that an observation is noise.
            render_mode: None or "rgb_array".

        Raises:
            ValueError: an argument out of range.
        """
        if not 0 <= disturbed_share <= 1:
            raise ValueError(f"disturbed_share must be between 0 and 1; got {disturbed_share}")
        self.render_mode, self.disturbed_share = check_render_mode(render_mode), disturbed_share
        block_low, block_high = np.array([-0.3, -0.3, 0.0]), np.array([0.3, 0.3, 0.25])
        low = np.concatenate([LOW - 0.02, [0.0], block_low, block_low]).astype(np.float32)
        high = np.concatenate([HIGH + 0.02, [2.2 * WIDEST], block_high, block_high]).astype(np.float32)
        self.observation_space = spaces.Box(low, high)
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._model = mujoco.MjModel.from_xml_string(_MODEL)
        self._data = mujoco.MjData(self._model)
        self._disturbance = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin with the gripper at rest and the blocks at two places, a centimetre and some degrees off.

        Args:
            seed: restarts the random numbers; None goes on with them.
            options: there are none.

        Raises:
            ValueError: an option.
        """
        super().reset(seed=seed)
        check_options(options, allowed=())
        mujoco.mj_resetData(self._model, self._data)
        places = self.np_random.permutation(len(PLACES))[:2]
        self._wanted = PLACES[places[::-1]]
        self._target, self._was_away = REST.copy(), False
        self._data.qpos[:3], self._data.qpos[3:5] = REST, WIDEST
        for block, place in enumerate(places):
            off, turn = self.np_random.uniform(-0.008, 0.008, 2), self.np_random.uniform(-0.1, 0.1)
            first = 5 + 7 * block
            self._data.qpos[first : first + 3] = *(PLACES[place] + off), BLOCK
            self._data.qpos[first + 3 : first + 7] = np.cos(turn / 2), 0, 0, np.sin(turn / 2)
        self._data.ctrl[:] = *REST, WIDEST, WIDEST
        self._disturbance = np.random.default_rng(self.np_random.integers(2**63))
        mujoco.mj_forward(self._model, self._data)
        return self._told(is_success=False)

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance 0.1 s.

        Raises:
            ValueError: the action is not four finite numbers.
        """
        action = check_actions(action, shape=(4,))
        self._target = np.clip(self._target + STRIDE * np.clip(action[:3], -1, 1), LOW, HIGH)
        opening = WIDEST * (1 - np.clip(action[3], -1, 1)) / 2
        self._data.ctrl[:] = *self._target, opening, opening
        mujoco.mj_step(self._model, self._data, SUBSTEPS)
        from_rest = float(np.linalg.norm(self._look()[:3] - REST))
        self._was_away |= from_rest > AWAY
        is_over = self._was_away and from_rest < NEAR_REST
        success = is_over and self.swapped
        observation, info = self._told(is_success=success)
        return observation, float(success), is_over, False, info

    @staticmethod
    def driver(generator: np.random.Generator) -> Swapper:
        """Who shows how it is done, of states, an episode each."""
        return Swapper(generator)

    @property
    def swapped(self) -> bool:
        """Whether each block stands where the other one stood."""
        blocks = self._look()[NUM_OWN:].reshape(2, 3)
        off = np.linalg.norm(blocks[:, :2] - self._wanted, axis=1)
        return bool((off < NEAR_PLACE).all() and (blocks[:, 2] < 1.2 * BLOCK).all())

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return a picture ``(64, 64, 3)`` uint8 from above where ``render_mode`` is "rgb_array", else None."""
        return None if self.render_mode is None else draw(self._look()[None])[0]

    def _told(self, *, is_success: bool) -> tuple[Any, dict[str, Any]]:
        """What is seen now, and what is so."""
        disturbed = bool(self._disturbance.random() < self.disturbed_share)
        shown = self._noise() if disturbed else self._shown(self._look())
        return shown, {"is_success": is_success, "disturbed": disturbed}

    def _noise(self) -> Any:
        """What is seen where it is noise."""
        state = self.observation_space
        assert isinstance(state, spaces.Box)
        return self._disturbance.uniform(state.low, state.high).astype(np.float32)

    def _shown(self, state: np.ndarray) -> Any:
        """The observation of a state."""
        return state

    def _look(self) -> np.ndarray:
        """The state ``(10,)``."""
        place = self._data.qpos
        parts = place[:3], [place[3] + place[4]], place[5:8], place[12:15]
        return np.concatenate(parts).astype(np.float32)


class PixelSwapEnv(SwapEnv):
    """The same by sight: ``image`` from above ``(64, 64, 3)`` uint8, and ``state``, that of the gripper ``(4,)``."""

    def __init__(self, **arguments: Any) -> None:
        """Build the environment; see :class:`SwapEnv` for the arguments."""
        super().__init__(**arguments)
        picture, state = spaces.Box(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), self.observation_space
        assert isinstance(state, spaces.Box)
        hand = spaces.Box(state.low[:NUM_OWN], state.high[:NUM_OWN])
        self.observation_space = spaces.Dict({"image": picture, "state": hand})

    @staticmethod
    def observe(states: np.ndarray) -> dict[str, np.ndarray]:
        """What is seen in states ``(n, 10)``."""
        return {"image": draw(states), "state": states[:, :NUM_OWN]}

    def _noise(self) -> Any:
        shown = self._shown(self._look())
        return shown | {"image": self._disturbance.integers(256, size=shown["image"].shape, dtype=np.uint8)}

    def _shown(self, state: np.ndarray) -> Any:
        return {name: each[0] for name, each in self.observe(state[None]).items()}

"""The ball of maze2d in MuJoCo: a force-driven sphere among boxes, stepped at 100 Hz."""

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's Python module is compiled and comes without type stubs.)

import mujoco

from dfplan_envs.mazes import Maze

MAX_VELOCITY = 5.0  # each axis is clipped to this before a step, so it can exceed it a little afterwards

BODY_ORIGIN = (
    1.2  # where the ball's body stands in MuJoCo's world, on both axes, when its joints (the observation) say 0
)

# The values are those of d4rl/pointmaze/maze_model.py; without textures, lights and sites, which have no physics. All
# geoms have a margin of 0.002 there. Of a pair MuJoCo adds both margins since 3.5, and took the larger one before. So
# that the ball rests as far from a wall on every version, their sum is the ball's, and the others have none.
_MODEL = """
<mujoco model="maze2d">
  <compiler inertiafromgeom="true" angle="radian"/>
  <option timestep="0.01" gravity="0 0 0" iterations="20" integrator="Euler"/>
  <default>
    <joint damping="1" limited="false"/>
    <geom friction=".5 .1 .1" density="1000" margin="0" condim="1" contype="2" conaffinity="1"/>
  </default>
  <worldbody>
    <geom name="ground" type="plane" size="40 40 0.25" pos="0 0 -0.1" contype="1" conaffinity="0"/>
    <body name="ball" pos="1.2 1.2 0">
      <geom name="ball" type="sphere" size="0.1" contype="1" margin="0.004"/>
      <joint name="ball_x" type="slide" axis="1 0 0"/>
      <joint name="ball_y" type="slide" axis="0 1 0"/>
    </body>
    {walls}
  </worldbody>
  <actuator>
    <motor joint="ball_x" ctrlrange="-1 1" ctrllimited="true" gear="100"/>
    <motor joint="ball_y" ctrlrange="-1 1" ctrllimited="true" gear="100"/>
  </actuator>
</mujoco>
"""


def build_model(maze: Maze) -> mujoco.MjModel:
    """Compile the MuJoCo model of a maze."""
    walls = [
        f'<geom type="box" size=".5 .5 .2" pos="{i + 1} {j + 1} 0"/>'
        for i, row in enumerate(maze.layout)
        for j, character in enumerate(row)
        if character == "#"
    ]
    return mujoco.MjModel.from_xml_string(_MODEL.format(walls="\n    ".join(walls)))


class Ball:
    """State and step of one ball, in plain floats: building arrays would cost more than the physics."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._data = mujoco.MjData(model)
        # Views of MuJoCo's own memory: fetching them from the data object anew costs as much as a short step.
        self._position = self._data.qpos
        self._velocity = self._data.qvel
        self._control = self._data.ctrl

    def set_state(self, x: float, y: float, vx: float, vy: float) -> None:
        """Put the ball somewhere and forget everything before, solver warm start included."""
        mujoco.mj_resetData(self._model, self._data)
        self._position[:] = x, y
        self._velocity[:] = vx, vy

    def state(self) -> tuple[float, float, float, float]:
        """Return ``(x, y, vx, vy)`` in metres and metres a second."""
        return (*self._position.tolist(), *self._velocity.tolist())

    def step(self, action_x: float, action_y: float) -> tuple[float, float, float, float]:
        """Advance 0.01 s under an action in [-1, 1] per axis, which is clipped, and return the new state."""
        self._control[:] = _clip(action_x, 1.0), _clip(action_y, 1.0)
        vx, vy = self._velocity.tolist()
        if not (-MAX_VELOCITY <= vx <= MAX_VELOCITY and -MAX_VELOCITY <= vy <= MAX_VELOCITY):
            self._velocity[:] = _clip(vx, MAX_VELOCITY), _clip(vy, MAX_VELOCITY)
        mujoco.mj_step(self._model, self._data)
        return (*self._position.tolist(), *self._velocity.tolist())


def _clip(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))

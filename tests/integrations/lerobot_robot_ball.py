"""A robot plug-in of LeRobot for tests: the ball of a maze, which moves by one step with every action it is sent."""

import json
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
from lerobot.robots import Robot, RobotConfig

STATE = ("x.pos", "y.pos", "x.vel", "y.vel")
FORCE = ("x.vel", "y.vel")  # LeRobot sends on what ends so


@RobotConfig.register_subclass("ball")
@dataclass(kw_only=True)
class BallConfig(RobotConfig):
    log: str
    seed: int = 0


class Ball(Robot):
    config_class, name = BallConfig, "ball"

    def __init__(self, config):
        super().__init__(config)
        self.config = config
        self._env, self._actions, self._places = None, [], []

    observation_features = dict.fromkeys(STATE, float)
    action_features = dict.fromkeys(FORCE, float)
    is_calibrated = True

    @property
    def is_connected(self):
        return self._env is not None

    def connect(self, calibrate=True):
        self._env = gymnasium.make("dfplan_envs:maze2d-large-v1")
        self._observation, _ = self._env.reset(seed=self.config.seed)

    def calibrate(self):
        pass

    def configure(self):
        pass

    def get_observation(self):
        return dict(zip(STATE, self._observation.tolist(), strict=True))

    def send_action(self, action):
        force = np.array([action[name] for name in FORCE])
        self._observation, *_ = self._env.step(np.clip(force, -1, 1))
        self._actions.append(force.tolist())
        self._places.append(self._observation[:2].tolist())
        return action

    def disconnect(self):
        self._env = None
        Path(self.config.log).write_text(json.dumps({"actions": self._actions, "places": self._places}))

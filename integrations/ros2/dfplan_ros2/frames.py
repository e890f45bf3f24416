"""What an odometry message says in the frame that plans are made in: REP 105, and the words of ``nav_msgs/Odometry``.

There, the pose is one in ``header.frame_id``, and the twist one in ``child_frame_id``: that of the robot, which turns
with it. Plans are made in one frame that stands still, so velocities are turned by the pose's orientation.
"""

from typing import Any

import numpy as np

LARGEST_NORM_ERROR = 0.01  # of a quaternion, which has the norm 1


class WrongFrameError(ValueError):
    """What was sent is not in the frame that plans are made in, or does not say which way the robot looks.

    Args:
        flag: what the status says.
    """

    def __init__(self, flag: str) -> None:
        super().__init__(flag)
        self.flag = flag


def observation_of(message: Any, *, frame: str) -> np.ndarray:
    """Position and velocity in the plane of ``frame``, ``(4,)``, in metres and metres a second.

    Args:
        message: of ``nav_msgs/Odometry``.
        frame: in which plans are made.

    Raises:
        WrongFrameError: ``odometry_frame`` where the pose is one in another frame, ``orientation`` where the quaternion
            is none (all zeros, as messages begin).
    """
    if message.header.frame_id != frame:
        raise WrongFrameError("odometry_frame")
    position, velocity = message.pose.pose.position, message.twist.twist.linear
    moving = np.array([velocity.x, velocity.y, velocity.z])
    if message.child_frame_id != frame:
        moving = turned(moving, message.pose.pose.orientation)
    return np.array([position.x, position.y, moving[0], moving[1]])


def goal_of(message: Any, *, frame: str) -> np.ndarray:
    """The place of a ``geometry_msgs/PoseStamped``, ``(2,)``.

    Raises:
        WrongFrameError: ``goal_frame`` where it is one in another frame; nothing is transformed here.
    """
    if message.header.frame_id != frame:
        raise WrongFrameError("goal_frame")
    return np.array([message.pose.position.x, message.pose.position.y])


def turned(vector: np.ndarray, by: Any) -> np.ndarray:
    """A vector ``(3,)``, turned by a ``geometry_msgs/Quaternion``.

    Raises:
        WrongFrameError: ``orientation``, where that has not the norm 1.
    """
    axis, real = np.array([by.x, by.y, by.z]), by.w
    if not abs(np.hypot(np.linalg.norm(axis), real) - 1) <= LARGEST_NORM_ERROR:
        raise WrongFrameError("orientation")
    across = 2 * np.cross(axis, vector)
    return vector + real * across + np.cross(axis, across)

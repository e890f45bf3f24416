"""Drives Gymnasium-Robotics' Fetch: a script for each task, of what is seen alone, so that it can be learned.

A script is a function of an observation, as :class:`~dfplan.domains.gymnasium.GymnasiumDomain` flattens it (what was
achieved of the goal first), and of the goal; it answers a displacement of the gripper and the opening of its fingers,
``(4,)``. Lengths are in metres.
"""

import numpy as np

GOAL_DIM = 3
GAIN = 10.0  # of an action, which moves the gripper by some 0.03 a step where it is 1, by what is missing
OPEN, CLOSED = 1.0, -1.0
ABOVE = 0.08  # from the gripper to what it passes over
BEHIND = 0.07  # from the gripper to the block's centre, where pushing begins; the block is 0.05 wide
ASIDE = 0.015  # how far the gripper may be off the line on which it pushes
NEAR = 0.018  # likewise from above the place that it descends at
HELD = 0.052  # opening of the fingers with the block between them, and a little more
LOW = 0.02  # how far above the block's centre the gripper may be to push it
STARTS = 0.12  # from the gripper to the puck's centre, where a stroke begins
# Speed of a stroke by the distance that the puck is to slide, measured: what is lost on the way, what it slides at the
# most, and a power.
LOST, FARTHEST, POWER = 0.04, 0.7, 0.53
TOUCHES = 0.041  # from the gripper to the centre of a puck that it has just met
MOVES = 0.001  # by how much a puck that was struck moves in a step


def reach(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Go there."""
    return np.append(GAIN * (goal - observation[GOAL_DIM : GOAL_DIM + 3]), 0.0)


def push(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Go behind the block, over it where it is in the way, then push it along the line to the goal."""
    gripper, block = observation[GOAL_DIM : GOAL_DIM + 3], observation[GOAL_DIM + 3 : GOAL_DIM + 6]
    distance, along, ahead, aside = _towards(goal, gripper=gripper, block=block)
    if distance < 0.02:
        return np.array([0.0, 0.0, 0.0, CLOSED])
    if gripper[2] < block[2] + LOW and ahead < -0.02 and np.linalg.norm(aside) < ASIDE:
        speed = min(GAIN * distance, 0.6)
        return np.array([*(speed * along - GAIN * aside), GAIN * (block[2] - gripper[2]), CLOSED])
    return _descend_at(gripper, np.append(block[:2] - BEHIND * along, block[2]), fingers=CLOSED)


def pick_and_place(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Take the block from above and carry it to the goal."""
    gripper, block = observation[GOAL_DIM : GOAL_DIM + 3], observation[GOAL_DIM + 3 : GOAL_DIM + 6]
    opening = observation[GOAL_DIM + 9 : GOAL_DIM + 11].sum()
    if np.linalg.norm(gripper - block) > 0.02:
        return _descend_at(gripper, block, fingers=OPEN)
    carries = opening < HELD
    return np.append(GAIN * (goal - block) if carries else GAIN * (block - gripper), CLOSED)


def slide(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Go behind the puck, strike it along the line to the goal as fast as that is far, and let it go."""
    gripper, puck = observation[GOAL_DIM : GOAL_DIM + 3], observation[GOAL_DIM + 3 : GOAL_DIM + 6]
    moved = observation[GOAL_DIM + 14 : GOAL_DIM + 16] + observation[GOAL_DIM + 20 : GOAL_DIM + 22]  # with the gripper
    distance, along, ahead, aside = _towards(goal, gripper=gripper, block=puck)
    if distance < NEAR or (np.linalg.norm(moved) > MOVES and np.linalg.norm(gripper[:2] - puck[:2]) > TOUCHES):
        return np.array([0.0, 0.0, 0.3, CLOSED])
    if gripper[2] < puck[2] + LOW and -STARTS - NEAR < ahead < 0 and np.linalg.norm(aside) < ASIDE:
        speed = min(((distance + LOST) / FARTHEST) ** POWER, 1.0)
        return np.array([*(speed * along - GAIN * aside), GAIN * (puck[2] - gripper[2]), CLOSED])
    return _descend_at(gripper, np.append(puck[:2] - STARTS * along, puck[2]), fingers=CLOSED)


def _towards(
    goal: np.ndarray, *, gripper: np.ndarray, block: np.ndarray
) -> tuple[np.floating, np.ndarray, np.ndarray, np.ndarray]:
    """How far a block is from the goal on the table and in which direction ``(2,)``, and where the gripper is of it.

    Ahead, a number, below 0 where it is behind; and aside of the line, ``(2,)``.
    """
    missing = goal[:2] - block[:2]
    distance = np.linalg.norm(missing)
    along = missing / max(distance, 1e-6)
    relative = gripper[:2] - block[:2]
    ahead = relative @ along
    return distance, along, ahead, relative - ahead * along


def _descend_at(gripper: np.ndarray, place: np.ndarray, *, fingers: float) -> np.ndarray:
    """Go above a place first, high enough to pass over what lies there, then down."""
    missing = place - gripper
    if np.linalg.norm(missing[:2]) < NEAR:
        return np.append(GAIN * missing, fingers)
    height = place[2] + ABOVE - gripper[2]
    if height > 0.03:  # too low to go sideways
        return np.array([0.0, 0.0, GAIN * height, fingers])
    return np.array([*(GAIN * missing[:2]), GAIN * height, fingers])


SCRIPTS = {
    "FetchReach-v4": reach,
    "FetchPush-v4": push,
    "FetchPickAndPlace-v4": pick_and_place,
    "FetchSlide-v4": slide,
}

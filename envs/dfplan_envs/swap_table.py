"""What stands where on the table of the swap, in metres, and which numbers of a state say what."""

import numpy as np

PLACES = np.array([[-0.15, 0.0], [0.0, 0.0], [0.15, 0.0]])
REST = np.array([0.0, -0.15, 0.14])  # of the gripper, before and after
BLOCK = 0.025  # half an edge
LOWEST = 0.03  # how low the gripper goes
STRIDE = 0.05  # how far in a step, at most, on every axis
NUM_OWN = 4  # numbers of a state that say where the gripper and its fingers are; places of red and of blue follow

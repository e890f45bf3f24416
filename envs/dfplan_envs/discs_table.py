"""How large the discs are, where they hang, and which numbers of a state say what."""

import numpy as np

RADII = (0.22, 0.25, 0.25, 0.25)  # of the driven disc, and of those on springs
HOMES = np.array([[-0.6, -0.45], [0.6, -0.45], [0.0, 0.65]])  # where springs hold them
REACH = 0.85  # how far from the middle the driven disc comes, on either axis
NUM_PLACES = 8  # leading numbers of a state: places of the driven disc and of the others; velocities follow

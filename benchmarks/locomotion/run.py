"""What is a planner worth where walking is paid for? Data of experts and of lesser policies, trainings, evaluation."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from experts import of_experts
from worlds import MIXED_POLICIES

ROBOTS = {
    "hopper": ("Hopper-v5", "tqc-hopper"),
    "walker2d": ("Walker2d-v5", "tqc-walker2d"),
    "halfcheetah": ("HalfCheetah-v5", "tqc-halfcheetah"),
}

# A policy goes on as it began: by what it comes to in 200 steps its actions are told from those of another.
WORDS = (*MIXED_POLICIES, "value.advantage_steps=200", "value.num_steps=5000")

BENCHMARK = of_experts(__doc__, ROBOTS, WORDS, folder=Path(__file__).parent, episodes=50)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

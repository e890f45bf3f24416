"""What is a planner worth for a hand of 24 joints? Data of an expert, alone and among policies that fail."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from experts import of_experts
from worlds import MIXED_POLICIES

TASKS = ("door", "hammer", "pen", "relocate")
ROBOTS = {name: (f"AdroitHand{name.capitalize()}-v1", f"adroit-{name}") for name in TASKS}

WORDS = (*MIXED_POLICIES, "value.num_steps=3000")

# A chunk is no plan that a value at its end could lead, or choose.
WITHOUT = ("diffuser", "rolled_out")
BENCHMARK = of_experts(__doc__, ROBOTS, WORDS, folder=Path(__file__).parent, episodes=50, without=WITHOUT)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())

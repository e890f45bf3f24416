"""What is a planner worth for a hand of 24 joints? Data of an expert, alone and among policies that fail."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from experts import main

TASKS = ("door", "hammer", "pen", "relocate")
ROBOTS = {name: (f"AdroitHand{name.capitalize()}-v1", f"adroit-{name}") for name in TASKS}

if __name__ == "__main__":
    sys.exit(main(ROBOTS, (), folder=Path(__file__).parent, episodes=50))

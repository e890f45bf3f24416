"""D4RL maze environments on current mujoco and Gymnasium."""

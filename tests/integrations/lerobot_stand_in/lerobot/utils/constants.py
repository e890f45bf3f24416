"""Of ``lerobot.utils.constants``: keys of a batch."""

ACTION = "action"
OBS_STATE = "observation.state"
OBS_ENV_STATE = "observation.environment_state"

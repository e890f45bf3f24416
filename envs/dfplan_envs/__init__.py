"""D4RL's maze2d on today's MuJoCo and Gymnasium, and what asks for memory or for others; importing registers them."""

import gymnasium

from dfplan_envs.mazes import MAZE_NAMES, Maze, build_maze

__all__ = ["MAZE_NAMES", "Maze", "build_maze"]


def _register_all() -> None:
    for name in MAZE_NAMES:
        version = "v0" if name == "open" else "v1"  # D4RL never made a v1 of the open maze
        for dense in (False, True):
            gymnasium.register(
                id=f"maze2d-{name}{'-dense' if dense else ''}-{version}",
                entry_point="dfplan_envs.maze_env:MazeEnv",
                vector_entry_point="dfplan_envs.vector_env:MazeVectorEnv",
                max_episode_steps=build_maze(name).max_episode_steps,
                kwargs={"maze_name": name, "dense": dense},
            )
        gymnasium.register(
            id=f"pixelmaze-{name}-v1",
            entry_point="dfplan_envs.pixel_maze:PixelMazeEnv",
            vector_entry_point="dfplan_envs.pixel_maze:PixelMazeVectorEnv",
            max_episode_steps=build_maze(name).max_episode_steps,
            kwargs={"maze_name": name},
        )
    gymnasium.register("tmaze-v0", "dfplan_envs.tmaze:TMazeEnv", max_episode_steps=256)
    gymnasium.register("closed-door-v0", "dfplan_envs.closed_door:ClosedDoorEnv", max_episode_steps=320)
    for others in range(5):
        gymnasium.register(
            f"movers-{others}-v0",
            "dfplan_envs.movers:MoversEnv",
            max_episode_steps=120,
            kwargs={"num_movers": others},
        )
    gymnasium.register(
        "movers-adversary-v0",
        "dfplan_envs.movers:MoversEnv",
        max_episode_steps=120,
        kwargs={"num_movers": 1, "adversary": True},
    )
    gymnasium.register("swap-v0", "dfplan_envs.swap:SwapEnv", max_episode_steps=140)
    gymnasium.register("pixel-swap-v0", "dfplan_envs.swap:PixelSwapEnv", max_episode_steps=140)
    gymnasium.register("discs-v0", "dfplan_envs.discs:DiscsEnv", max_episode_steps=400)
    gymnasium.register("pixel-discs-v0", "dfplan_envs.discs:PixelDiscsEnv", max_episode_steps=400)
    gymnasium.register("pixel-tmaze-v0", "dfplan_envs.pixel_tmaze:PixelTMazeEnv", max_episode_steps=256)


_register_all()

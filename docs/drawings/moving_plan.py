"""Draw plan.gif: a plan that is denoised row by row, then driven by the agent, which plans anew as it goes.

Weights, plan, matrix and roll-out are real: those of the package in maze2d-large, by the planned actions alone. Only
``num_levels`` and ``pyramid_offset`` are larger than usual, so that there is more to see.
"""

import functools

import numpy as np
from canvas import MAZE, PAPER, PICTURES, begin, draw_levels, draw_scene, maze_env, title
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import dfplan
from dfplan.domains.maze.pictures import BLUE, VERMILLION, WALL
from dfplan.types import PlanEvent

NUM_LEVELS, OFFSET = 10, 2.0
HORIZON, REPLAN_EVERY, STEPS_PER_FRAME = 320, 32, 6
ROW_MS, DRIVE_MS, PAUSE_MS, LAST_MS = 90, 70, 900, 2500


def drive() -> tuple[np.ndarray, list[PlanEvent], np.ndarray, dfplan.Planner]:
    """One episode until 60 steps after its arrival: positions, the plans made on the way, the goal, the planner."""
    env = maze_env()
    settings = dfplan.PlannerSettings(num_levels=NUM_LEVELS, pyramid_offset=OFFSET)
    planner = dfplan.Planner(dfplan.load(MAZE), settings=settings)
    planner.plan = functools.partial(planner.plan, record_history=True)  # so that plans come with their rows
    events: list[PlanEvent] = []
    agent = dfplan.MPCAgent(
        planner,
        controller=dfplan.PlannedActions(),
        replan_every=REPLAN_EVERY,
        horizon=HORIZON,
        on_plan=events.append,
    )
    observation, goal = begin(env)
    agent.reset(seeds=[0], goals=goal[None])
    positions, arrived = [observation[:2]], 0
    while arrived < 60:
        observation, reward, *_ = env.step(agent.act(observation[None])[0])
        positions.append(observation[:2])
        arrived += float(reward) > 0
    return np.array(positions), events, goal, planner


class Film:
    """Frames of one size: the maze on the left, the scheduling matrix on the right."""

    def __init__(self, positions: np.ndarray, events: list[PlanEvent], goal: np.ndarray, planner: dfplan.Planner):
        self.maze = maze_env().get_wrapper_attr("maze")
        self.positions, self.events, self.goal = positions, events, goal
        history = events[0].plan.history
        assert history is not None
        self.history = history[:, 0, :, :2]
        points_per_token = planner.model.layout.points_per_token
        self.matrix = planner.settings.scheduling_matrix(self.history.shape[1] // points_per_token).numpy()
        self.levels = self.matrix[1:].repeat(points_per_token, axis=1) / NUM_LEVELS

    def denoised(self, row: int) -> Image.Image:
        """The plan as it is after a row of the matrix; later points are more transparent the noisier they are."""
        figure, ax = self._frame(row + 1)
        points, levels = self.history[row], self.levels[row]
        # Noise lies beyond the walls, too; what is drawn of it ends at the picture's edge.
        ax.plot(*np.concatenate([self.positions[:1], points]).T[::-1], color=WALL, linewidth=0.6, alpha=0.35, zorder=2)
        colors = np.array([(*_rgb(BLUE), 1 - 0.7 * level) for level in levels])
        ax.scatter(*points.T[::-1], s=26, color=colors, edgecolors="white", linewidths=0.4, zorder=4)
        title(ax, f"a plan is denoised: row {row + 1} of {len(self.history)}")
        return _image(figure)

    def driven(self, step: int) -> Image.Image:
        """Where the agent is after so many steps, on the plan that it follows."""
        figure, ax = self._frame(len(self.matrix) - 1)
        event = [each for each in self.events if each.step <= step][-1]
        last = -(-int(min(event.plan.arrival[0], event.plan.num_steps[0])) // event.plan.steps_per_point)
        ahead = np.concatenate([self.positions[event.step, None], event.plan.observations[0, :last, :2]])
        ax.plot(*ahead.T[::-1], color=BLUE, linewidth=1, marker="o", markersize=3, alpha=0.55, zorder=2)
        ax.plot(*self.positions[: step + 1].T[::-1], color=VERMILLION, linewidth=2.4, zorder=3)
        ax.plot(*self.positions[step, ::-1], "o", color=VERMILLION, markersize=10, markeredgecolor="white", zorder=7)
        title(ax, f"and driven by its own actions: step {step}, plan {self.events.index(event) + 1}")
        return _image(figure)

    def _frame(self, row: int) -> tuple[Figure, Axes]:
        figure = Figure(figsize=(7.2, 4.2), dpi=100, layout="constrained", facecolor=PAPER)
        left, right = figure.subplots(1, 2, width_ratios=[2.6, 1])
        draw_scene(left, self.maze, start=self.positions[0], goal=self.goal)
        draw_levels(right, self.matrix, num_levels=NUM_LEVELS)
        right.axhline(row, color="white", linewidth=2.5)
        right.axhline(row, color=VERMILLION, linewidth=1.2)
        title(right, "noise level of each token")
        return figure, left


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))


def _image(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def main() -> None:
    """Drive, draw every frame, and write them with one palette, so that they are small and do not flicker."""
    film = Film(*drive())
    last = len(film.positions) - 1
    rows, steps = range(len(film.history)), [*range(0, last, STEPS_PER_FRAME), last]
    frames = [*(film.denoised(row) for row in rows), *(film.driven(step) for step in steps)]
    times = [ROW_MS] * len(rows) + [DRIVE_MS] * len(steps)
    times[len(rows) - 1], times[-1] = PAUSE_MS, LAST_MS
    samples = Image.fromarray(np.concatenate([np.asarray(each)[::2, ::2] for each in frames[:: len(frames) // 6]]))
    palette = samples.quantize(64, dither=Image.Dither.NONE)
    small = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in frames]
    small[0].save(PICTURES / "plan.gif", save_all=True, append_images=small[1:], duration=times, loop=0, optimize=True)


if __name__ == "__main__":
    main()

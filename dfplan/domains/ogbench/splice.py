"""Ways spliced together of pieces of many episodes, wherever these come by the same place: direct, and of any length.

Where an observation is a place and nothing else, whatever was done from there can be done by whoever comes there. So
ways that nobody has gone are made of pieces that somebody has, actions included, and no dynamics have to be known.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dfplan.errors import UserError
from dfplan.scorers.visited_grid import VisitedGrid
from dfplan.types import Support, Trajectories

PIECE_STEPS = (16, 4)  # of a piece: near a goal, and round corners, short ones come nearer to where one wants to be
NUM_DRAWN = 64  # pieces from which one is taken, as many of either length
NUM_GOALS = 1024  # cells to which the distances are known
NEAR = 2.0  # environment units: with less left than that, it is measured as the crow flies
NUM_WAYS = 512  # made side by side
# A way that takes so many times longer than by half steps of the data, and some more, is given up: nobody has gone
# there, or not in this direction.
PATIENCE, LEAST_PATIENCE = 1.2, 60
MOST_IN_VAIN = 1000  # pieces after which no way that is made can be hoped for
MARGIN = 0.3  # environment units that ways keep from what was not visited


def splice(
    data: Trajectories,
    support: Support,
    *,
    num_steps: int,
    seed: int,
    within: float,
    hold: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trajectories:
    """Make ways between places of the data; the segments of the result are the ways.

    A way is made piece by piece. Of :data:`NUM_DRAWN` pieces that begin in the cell where it has come to, the one is
    taken that leaves the least distance to its goal, over visited cells, for the steps that it takes: so ways are
    direct, and somewhat faster than the data. At its end it stands still, which no data show and which an action of
    zeros does; the next way goes on from there. One that takes much too long is given up, and another begun anywhere.

    Args:
        data: observations are places ``(rows, 2)``.
        support: which of them were visited.
        num_steps: to make.
        seed: of all that is drawn.
        within: distance from its goal at which a way ends.
        hold: steps of standing there.
        on_progress: called as ``on_progress(done, total)``.

    Raises:
        UserError: nothing can be spliced.
    """
    splicer = _Splicer(data, support, seed=seed, count=max(min(NUM_WAYS, num_steps // 1000), 1))
    runs: list[list[list[np.ndarray]]] = [
        [[]] for _ in range(splicer.count)
    ]  # of each, ways that go on from each other
    pieces: list[list[np.ndarray]] = [[] for _ in range(splicer.count)]  # of the ways that are under way
    made, vain = 0, 0
    while made < num_steps:
        first, steps, arrived, lost = splicer.go_on(within=within)
        for way in range(splicer.count):
            pieces[way].append(first[way] + np.arange(steps[way]))
            if arrived[way]:
                pieces[way].append(np.full(hold + 1, -1 - splicer.ended_at[way]))  # marked, as nothing is done there
                runs[way][-1].append(np.concatenate(pieces[way]))
                made += len(runs[way][-1][-1])
            if lost[way]:
                runs[way].append([])
            if arrived[way] or lost[way]:
                pieces[way] = []
        vain = 0 if arrived.any() else vain + 1
        if vain > MOST_IN_VAIN:
            raise UserError(
                f"{data.source}: no way arrives that is spliced of its pieces; record more, or resynthesis=none"
            )
        if on_progress is not None:
            on_progress(min(made, num_steps), num_steps)
    return _joined(data, [run for each in runs for run in each if run])


def _joined(data: Trajectories, runs: list[list[np.ndarray]]) -> Trajectories:
    """Ways by their rows, those of a run as one trajectory; negative rows are stood at."""
    ways = [way for run in runs for way in run]
    taken = np.concatenate(ways)
    stands = taken < 0
    taken = np.where(stands, -1 - taken, taken)
    made = {name: values[taken] for name, values in data.per_row().items()}
    made["actions"][stands] = 0
    made["segment_ends"] = np.isin(np.arange(len(taken)), np.cumsum([len(way) for way in ways]) - 1)
    starts = np.append(0, np.cumsum([sum(map(len, run)) for run in runs]))
    return replace(data, starts=starts, last_actions=True, **made)


class _Splicer:
    """Ways that are being made, ``count`` side by side.

    Args:
        data: see :func:`splice`.
        support: likewise.
        seed: likewise.
        count: of ways.

    Raises:
        UserError: nothing can be spliced.
    """

    def __init__(self, data: Trajectories, support: Support, *, seed: int, count: int) -> None:
        self.count, self.places, self._generator = count, data.observations, np.random.default_rng(seed)
        self._grid = VisitedGrid(support, margin=MARGIN)
        self._cells = self._grid.cells_of(self.places)
        self._last = np.repeat(data.starts[1:] - 1, np.diff(data.starts))
        # What a step is worth: half of what one brings, so that long pieces are taken where they lead straight on.
        self._pace = 0.5 * float(np.median(np.linalg.norm(np.diff(self.places, axis=0), axis=1)))
        pieces = np.flatnonzero((np.arange(len(data)) < self._last) & (self._cells >= 0))
        self._pieces = pieces[np.argsort(self._cells[pieces], kind="stable")]
        self._first = np.searchsorted(self._cells[self._pieces], np.arange(len(self._grid.centers) + 1))
        known = np.flatnonzero(np.diff(self._first) > 0)
        if not len(known):
            raise UserError(f"{data.source} visits nothing often enough for its ways to be spliced; record more")
        self._goal_cells = self._generator.choice(known, min(NUM_GOALS, len(known)), replace=False)
        self._left = self._grid.distances(self._goal_cells).astype(np.float32)
        self._leads = np.isin(np.arange(len(self._grid.centers)), known)  # cells from which there is a way somewhere
        self._leads &= np.asarray(np.isfinite(self._left).any(axis=0))
        self._starts = self._pieces[self._leads[self._cells[self._pieces]]]
        self._here = self._generator.choice(self._starts, count)  # rows
        self._goals, self._target = np.zeros((count, 2)), np.zeros(count, np.int64)
        self._patience = np.zeros(count)  # steps
        self._choose(np.arange(count))

    def go_on(self, *, within: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A piece of every way ``(count,)``: its first row, its steps, whether it arrives, and whether it is given up.

        Those that have come to an end have other goals then.
        """
        drawn = self._draw(self._near(self._here))
        ends = np.minimum(drawn + np.resize(PIECE_STEPS, NUM_DRAWN), self._last[drawn])
        apart = np.linalg.norm(self.places[drawn] - self.places[self._here][:, None], axis=-1)
        best = (self._distance(ends) + apart + self._pace * (ends - drawn)).argmin(axis=1)[:, None]
        first, end = (np.take_along_axis(each, best, axis=1)[:, 0] for each in (drawn, ends))
        steps = np.minimum(first[:, None] + np.arange(1, max(PIECE_STEPS) + 1), end[:, None])
        there = np.asarray(np.linalg.norm(self.places[steps] - self._goals[:, None], axis=-1) <= within)
        arrived = np.asarray(there.any(axis=1))
        self._here = np.where(arrived, steps[np.arange(self.count), there.argmax(axis=1)], end)
        self.ended_at, taken = self._here.copy(), self._here - first
        self._patience -= taken
        lost = ~arrived & (self._patience < 0)
        self._here[lost] = self._generator.choice(self._starts, int(lost.sum()))
        self._choose(np.flatnonzero(arrived | lost))
        return first, taken, arrived, lost

    def _choose(self, ways: np.ndarray) -> None:
        """New goals, where one can get to."""
        cells = self._near(self._here[ways])
        for way, cell in zip(ways.tolist(), cells.tolist(), strict=True):
            self._target[way] = self._generator.choice(np.flatnonzero(np.isfinite(self._left[:, cell])))
        self._goals[ways] = self.places[self._draw(self._goal_cells[self._target[ways]])[:, 0]]
        self._patience[ways] = PATIENCE * self._left[self._target[ways], cells] / self._pace + LEAST_PATIENCE

    def _near(self, rows: np.ndarray) -> np.ndarray:
        """The cells of rows, or the nearest in which pieces begin and from which there is a way to somewhere."""
        cells = self._cells[rows]
        lost = np.flatnonzero((cells < 0) | ~self._leads[cells])
        if len(lost):
            apart = np.linalg.norm(self._grid.centers - self.places[rows[lost]][:, None], axis=-1)
            cells[lost] = np.where(self._leads, apart, np.inf).argmin(axis=1)
        return cells

    def _draw(self, cells: np.ndarray) -> np.ndarray:
        """Rows ``(len(cells), NUM_DRAWN)`` in cells, at which pieces begin."""
        begin, number = self._first[cells, None], self._first[cells + 1, None] - self._first[cells, None]
        return self._pieces[begin + (self._generator.random((len(cells), NUM_DRAWN)) * number).astype(np.int64)]

    def _distance(self, rows: np.ndarray) -> np.ndarray:
        """What is left from rows ``(count, drawn)`` to the goals; infinite where that is unknown."""
        left = np.where(self._cells[rows] < 0, np.inf, self._left[self._target[:, None], self._cells[rows]])
        straight = np.linalg.norm(self.places[rows] - self._goals[:, None], axis=-1)
        return np.where(left < NEAR, np.minimum(straight, NEAR), left)

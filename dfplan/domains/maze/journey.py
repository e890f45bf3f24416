"""How far a plan has come that is made part by part, and what becomes its next part."""

from dataclasses import dataclass, field

import numpy as np

from dfplan.domains.maze.path_tracker import arc_lengths
from dfplan.domains.maze.surroundings import Surroundings
from dfplan.planner.draft import Draft

SHORT = 1.5  # environment units of a part below which it is planned by way of nothing more
MAX_FAILURES = 8  # parts without a usable candidate, of one plan, after which the shortest way is taken


@dataclass(frozen=True)
class Target:
    """Where a part ends.

    Attributes:
        place: ``(dim,)``.
        is_stop: whether it is a way-point or the goal, which have to be passed nearby.
    """

    place: np.ndarray
    is_stop: bool


@dataclass
class Journey:
    """One environment's plan.

    Attributes:
        around: where it may go.
        state: ``(observation_dim,)`` where the next part begins.
        targets: ends of the parts to come, the next one first.
        path: positions ``(points, dim)`` so far.
        stops: numbers of the points that are way-points.
        failures: parts that no candidate was usable for.
        first: which candidate became the first part.
        ends: whether it leads to the last target.
    """

    around: Surroundings
    state: np.ndarray
    targets: list[Target]
    path: np.ndarray
    stops: list[int] = field(default_factory=list)
    failures: int = 0
    first: int = 0
    ends: bool = True

    def take(self, draft: Draft) -> bool:
        """Take the best candidate that arrives and can be mended for the next part; False if there is none."""
        target, dim = self.targets[0], self.path.shape[1]
        for candidate in np.argsort(-draft.value, kind="stable").tolist():
            if draft.arrival[candidate] > draft.num_steps[candidate]:
                continue
            states = draft.until_arrival(candidate)
            path = [self.state[None, :dim], states[:, :dim], *([target.place[None]] if target.is_stop else [])]
            mended = self.around.mender.mend(np.concatenate(path))
            if mended is not None:
                self.first = candidate if len(self.path) == 1 else self.first
                self.go(mended, velocity=states[-1, dim : 2 * dim])
                return True
        self.failures += 1
        return False

    def take_unmended(self, draft: Draft) -> None:
        """Take the best candidate as it is, though it breaks something or does not arrive: there is nothing better."""
        dim = self.path.shape[1]
        states = draft.until_arrival(int(draft.value.argmax()))
        path = np.concatenate([self.state[None, :dim], states[:, :dim], self.targets[0].place[None]])
        self.go(path, velocity=states[-1, dim : 2 * dim])

    def go_by_halves(self) -> bool:
        """Plan the next part by way of the middle of the shortest way, or take a short one; False if there is none."""
        way = self.around.way(self.state[: self.path.shape[1]], self.targets[0].place)
        if way is None:
            return False
        lengths = arc_lengths(way)
        if lengths[-1] < SHORT or self.failures > MAX_FAILURES:
            self.go(way, velocity=np.zeros(way.shape[1]))
        else:
            half = way[int(np.searchsorted(lengths, lengths[-1] / 2))]
            self.targets.insert(0, Target(half, is_stop=False))
        return True

    def go_by_way(self, length: float) -> None:
        """Plan by way of places on the shortest way to every target, ``length`` apart; straight if there is none."""
        here, targets = self.state[: self.path.shape[1]], []
        for target in self.targets:
            way = self.around.way(here, target.place)
            lengths = np.zeros(1) if way is None else arc_lengths(way)
            for at in np.linspace(0, lengths[-1], max(1, round(lengths[-1] / length)) + 1)[1:-1]:
                assert way is not None
                targets.append(Target(way[int(np.searchsorted(lengths, at))], is_stop=False))
            targets.append(target)
            here = target.place
        self.targets = targets

    def go_by_chance(self, generator: np.random.Generator) -> bool:
        """Plan the next part by way of an allowed position drawn at random; False if that was tried too often."""
        place = self.around.draw(generator)
        if place is None or self.failures > MAX_FAILURES:
            return False
        if not self.targets[0].is_stop:
            self.targets.pop(0)
        self.targets.insert(0, Target(place, is_stop=False))
        return True

    def finish(self) -> None:
        """Go to all targets by the shortest way, or straight where there is none."""
        while self.targets:
            here, place = self.path[-1], self.targets[0].place
            way = self.around.way(here, place)
            self.go(np.stack([here, place]) if way is None else way, velocity=np.zeros(len(place)))

    def leave(self) -> None:
        """Plan no further than so far, though targets are left."""
        self.ends = not self.targets
        self.targets.clear()

    def go(self, path: np.ndarray, *, velocity: np.ndarray) -> None:
        """Add the path ``(points, dim)`` of a part; the next one begins where it ends, with ``velocity``."""
        target = self.targets.pop(0)
        self.path = np.concatenate([self.path, path[1:]])
        if target.is_stop and self.targets:
            self.stops.append(len(self.path) - 1)
        self.state = np.concatenate([self.path[-1], velocity, self.state[2 * len(velocity) :]])

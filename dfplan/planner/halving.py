"""Candidates that are let go on the way: of each environment, the half that is doubted more."""

import numpy as np


class Halving:
    """Keeps the better half of the candidates once enough of their tokens are clean (successive halving, once).

    What was let go is a copy of one that stayed when all are compared, so that it neither wins nor is missed.

    Args:
        after: clean tokens after which it happens; None is never.
        num_candidates: of each environment, those of one side by side.
        num_tokens: of the window; where it has no more than ``after``, nothing would be saved, and none is let go.

    Attributes:
        num_left: candidates of each environment that are still at work.
        gone: ``(n,)`` rows of the batch that were let go.
        stand_ins: ``(n,)`` the rows that they are copies of afterwards.
    """

    def __init__(self, after: int | None, *, num_candidates: int, num_tokens: int) -> None:
        self.num_left = num_candidates
        self.gone = self.stand_ins = np.zeros(0, np.int64)
        self._after = after if num_candidates > 1 and after is not None and after < num_tokens else None

    def is_due(self, num_clean: int) -> bool:
        """Whether it is now, that so many tokens are clean."""
        return self._after is not None and num_clean >= self._after

    def let_go(self, value: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Which of ``rows`` ``(n,)``, whole environments each, leave: those of the lower ``value`` ``(n,)``; bool."""
        ranked = (-value).reshape(-1, self.num_left).argsort(axis=1, kind="stable")
        places = np.take_along_axis(rows.reshape(-1, self.num_left), ranked, axis=1)
        stay = (self.num_left + 1) // 2
        self.gone, self.stand_ins = places[:, stay:].ravel(), places[:, : self.num_left - stay].ravel()
        self.num_left, self._after = stay, None
        return np.isin(rows, self.gone)

"""Which candidates are let go on the way, and what becomes of them."""

import numpy as np

from dfplan.planner.halving import Halving


def test_the_lower_half_of_each_environment_goes_once_and_the_odd_one_stays():
    halving = Halving(3, num_candidates=5, num_tokens=9)
    assert not halving.is_due(2)
    assert halving.is_due(3)
    rows = np.arange(10, 20)  # two environments; others are done already
    gone = halving.let_go(np.array([5.0, 1, 4, 2, 3, -1, -5, -2, -4, -3]), rows)
    assert rows[gone].tolist() == [11, 13, 16, 18]
    assert halving.num_left == 3
    assert not halving.is_due(9)


def test_those_that_went_are_copies_of_those_that_are_best():
    halving = Halving(1, num_candidates=4, num_tokens=9)
    halving.let_go(np.array([1.0, 4, 3, 2]), np.arange(4))
    assert dict(zip(halving.gone.tolist(), halving.stand_ins.tolist(), strict=True)) == {3: 1, 0: 2}


def test_nobody_goes_where_nothing_is_said_or_there_is_one():
    assert not Halving(None, num_candidates=8, num_tokens=9).is_due(100)
    assert not Halving(1, num_candidates=1, num_tokens=9).is_due(100)
    assert not Halving(2, num_candidates=8, num_tokens=2).is_due(2)  # all is clean by then: nothing would be saved

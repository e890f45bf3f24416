"""Every scheduling matrix of every small size is one that a sampler can follow."""

import itertools

import pytest
import torch

from dfplan import diffusion
from dfplan.diffusion import autoregressive_matrix, full_sequence_matrix, pyramid_matrix, validate_matrix
from dfplan.errors import UserError

SIZES = list(itertools.product(range(1, 13), range(1, 13)))
OFFSETS = (0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 7.0, 12.0, 20.0)


@pytest.mark.parametrize("offset", OFFSETS)
def test_starts_noisy_ends_clean_never_rises_and_earlier_tokens_are_never_noisier(offset):
    for num_tokens, num_levels in SIZES:
        matrix = pyramid_matrix(num_tokens, num_levels=num_levels, offset=offset)
        assert matrix.dtype == torch.int64
        assert (matrix[0] == num_levels).all()
        assert (matrix[-1] == 0).all()
        assert (matrix[1:] <= matrix[:-1]).all()
        assert (matrix[:, :-1] <= matrix[:, 1:]).all()
        assert validate_matrix(matrix, num_levels=num_levels) is matrix


@pytest.mark.parametrize("offset", OFFSETS)
def test_every_token_visits_every_level_once_and_no_row_is_wasted(offset):
    for num_tokens, num_levels in SIZES:
        matrix = pyramid_matrix(num_tokens, num_levels=num_levels, offset=offset)
        falls = matrix[:-1] - matrix[1:]
        assert falls.max() == 1
        assert (falls.sum(dim=0) == num_levels).all()
        # Only a offset beyond num_levels leaves rows in which nothing moves.
        assert (falls.sum(dim=1) > 0).all() or offset > num_levels


def test_full_sequence_is_one_loop_over_levels():
    for num_tokens, num_levels in SIZES:
        rows = [[num_levels - step] * num_tokens for step in range(num_levels + 1)]
        assert full_sequence_matrix(num_tokens, num_levels=num_levels).tolist() == rows


def test_autoregressive_is_a_loop_over_tokens_around_a_loop_over_levels():
    for num_tokens, num_levels in SIZES:
        row, rows = [num_levels] * num_tokens, [[num_levels] * num_tokens]
        for token in range(num_tokens):
            for level in reversed(range(num_levels)):
                row = [*row[:token], level, *row[token + 1 :]]
                rows.append(row)
        assert autoregressive_matrix(num_tokens, num_levels=num_levels).tolist() == rows


def test_a_small_pyramid_by_hand():
    assert pyramid_matrix(3, num_levels=2, offset=1.0).tolist() == [
        [2, 2, 2],
        [1, 2, 2],
        [0, 1, 2],
        [0, 0, 1],
        [0, 0, 0],
    ]


def test_an_offset_of_half_a_level_by_hand():
    # Two tokens go together: a token lags by the whole levels that the offset has come to (rounded down).
    assert pyramid_matrix(4, num_levels=1, offset=0.5).tolist() == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize(("num_tokens", "num_levels"), [(0, 5), (5, 0), (-1, 3)])
def test_sizes_below_one_are_refused(num_tokens, num_levels):
    with pytest.raises(UserError, match="at least 1 token and 1 level"):
        pyramid_matrix(num_tokens, num_levels=num_levels, offset=1.0)


@pytest.mark.parametrize("offset", [-0.5, float("nan"), float("inf")])
def test_offsets_that_mean_nothing_are_refused(offset):
    with pytest.raises(UserError, match="offset of a scheduling matrix must be 0"):
        pyramid_matrix(4, num_levels=3, offset=offset)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([[2.0, 2.0], [0.0, 0.0]], r"integer tensor \[rows, tokens\].*torch.float32"),
        ([2, 0], r"got torch.int64 of shape \[2\]"),
        ([[0, 0]], "at least 2 rows"),
        ([[2, 1], [0, 0]], r"row 0 must be all 2; got \[2, 1\]"),
        ([[2, 2], [0, 1]], r"last row must be all 0; got \[0, 1\]"),
        ([[2, 2], [1, 1], [1, 2], [0, 0]], "token 1 goes from level 1 in row 1 to 2 in row 2"),
    ],
)
def test_a_custom_matrix_is_refused_with_what_is_wrong(rows, complaint):
    with pytest.raises(UserError, match=complaint):
        validate_matrix(torch.tensor(rows), num_levels=2)


def test_a_custom_matrix_may_skip_levels_and_let_later_tokens_lead():
    matrix = torch.tensor([[4, 4], [4, 1], [2, 0], [0, 0]])
    assert validate_matrix(matrix, num_levels=4) is matrix


def test_scripts_that_say_slope_go_on():
    assert torch.equal(diffusion.sloped_matrix(4, num_levels=3, slope=0.5), pyramid_matrix(4, num_levels=3, offset=0.5))

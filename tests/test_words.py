"""What is said is said in words that a person would use."""

import pytest

from dfplan.errors import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 episodes"), (1, "1 episode"), (2, "2 episodes"), (10_000, "10,000 episodes")]
)
def test_one_is_no_plural(number, said):
    assert counted(number, "episode") == said

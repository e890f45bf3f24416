"""A file is written whole or not at all."""

import errno
import os

import pytest

from dfplan.errors import UserError
from dfplan.files import written_whole


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    for text in ("old", "new"):
        with written_whole(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["file.txt"]
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises((UserError, KeyboardInterrupt)) as caught, written_whole(path) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise failure
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]
    if isinstance(failure, OSError):
        assert f"{path}: cannot be written (No space left on device)" in str(caught.value)

"""Download of D4RL's published maze2d files, kept whole or not at all and with their SHA-256 noted."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from dfplan.data.d4rl_file import hash_file, note_checksum
from dfplan.errors import UserError
from dfplan.files import written_whole

D4RL_URL = "http://rail.eecs.berkeley.edu/datasets/offline_rl/maze2d/"
TIMEOUT_SECONDS = 30
BLOCK = 1 << 18


def published_name(env_id: str) -> str:
    """Name of D4RL's file for an environment: ``maze2d-large-v1`` has ``maze2d-large-sparse-v1.hdf5``.

    Raises:
        UserError: D4RL publishes no file for it.
    """
    match = re.fullmatch(r"maze2d-(open|(?:eval-)?(?:umaze|medium|large))(-dense)?(-v\d)", env_id)
    if match is None:
        raise UserError(f"D4RL publishes no dataset for {env_id!r}, only for names like maze2d-large-v1")
    maze, dense, version = match.groups()
    return f"maze2d-{maze}{dense or '-sparse'}{'' if maze == 'open' else version}.hdf5"


def download_d4rl(
    env_id: str, folder: Path, *, on_progress: Callable[[int, int], None] | None = None, base_url: str = D4RL_URL
) -> Path:
    """Return the published file of an environment, downloaded into `folder` unless it lies there already.

    D4RL publishes no checksums: the SHA-256 of what first arrives is noted beside the file, and every later reading is
    held against it.

    Args:
        env_id: such as ``maze2d-large-v1``.
        folder: made if it does not exist.
        on_progress: called as ``on_progress(bytes_done, bytes_in_all)``.
        base_url: where the files are, with a slash at the end.

    Raises:
        UserError: there is no such file, no connection, or not all of it arrived.
    """
    path = folder / published_name(env_id)
    if path.is_file():
        return path
    url = base_url + path.name
    with written_whole(path) as temporary:
        try:
            _fetch(url, temporary, on_progress=on_progress)
        except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
            raise UserError(
                f"cannot download {url}: {error}; use data=generated, which makes the same data by D4RL's procedure, "
                f"or put the file at {path}"
            ) from error
        checksum = hash_file(temporary)
    note_checksum(path, checksum)
    return path


def _fetch(url: str, path: Path, *, on_progress: Callable[[int, int], None] | None) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, path.open("wb") as file:
        total, done = int(response.headers.get("Content-Length") or 0), 0
        while block := response.read(BLOCK):
            file.write(block)
            done += len(block)
            if on_progress is not None:
                on_progress(done, max(total, done))
    if done < total:
        raise ConnectionError(f"the connection broke after {done} of {total} bytes")

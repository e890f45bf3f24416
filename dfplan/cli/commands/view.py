"""``dfplan view``: the page of a run, in a browser on this machine; made from its results where there is none."""

import json
import os
import sys
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dfplan.cli.loopback import ADDRESS, Read, open_server
from dfplan.errors import UserError, printable
from dfplan.files import read_small, user_path, write_whole
from dfplan.ranges import closest

OPTIONS = {"port": "0 = any that is free", "browser": "false = only the address is printed"}
REPORT, RECORD = "report.html", "results.json"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
}
WINDOWED = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")  # what says that there are windows, or names a browser
MOST_BYTES = 64 * 2**20  # of a file
HELP = """\
Show the page of a run, report.html, in a browser: of `dfplan eval` or `dfplan bench`. Where a run has none yet, it is
made of its results.json. It is served to this machine alone (127.0.0.1), read only, until Ctrl-C.

usage: dfplan view RUN [port=PORT] [browser=false]

  RUN            folder of a run, such as runs/eval/maze2d-large/2026-01-31_12-00-00
  port=0         port to listen at; 0 = any that is free
  browser=true   false = only the address is printed

examples:
  dfplan view runs/eval/maze2d-large/2026-01-31_12-00-00
  dfplan view scores port=8000 browser=false"""


def run(words: Sequence[str]) -> int:
    """Serve the page of a run until Ctrl-C; the address is printed first.

    Raises:
        UserError: there is no such run, it has no results, or the port is taken.
    """
    if not words or words[0] in ("-h", "--help"):
        print(HELP)
        return 0
    folder, port, opens = _chosen(words)
    files = files_of(folder)
    server = open_server(files, port=port)
    address = f"http://{ADDRESS}:{server.server_port}/"
    print(printable(f"{folder}: {address} (Ctrl-C ends it)"), flush=True)
    try:
        if opens:
            _open(address)
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        server.server_close()
    return 0


def _chosen(words: Sequence[str]) -> tuple[Path, int, bool]:
    """The folder, the port, and whether a browser is opened."""
    chosen = {"port": "0", "browser": "true"}
    named = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in OPTIONS:
            chosen[name] = value
        elif word.startswith("-"):
            raise UserError(f"unknown flag {word!r}; options are written key=value, such as browser=false")
        elif equals and not user_path(word).exists():
            raise UserError(f"dfplan view has no option {name!r}{closest(name, OPTIONS)}; choose {', '.join(OPTIONS)}")
        else:
            named.append(word)
    if len(named) != 1:
        raise UserError(f"say which run to view, one folder; got {' '.join(named) or 'none'}")
    port, browser = chosen["port"], chosen["browser"]
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise UserError(f"port must be a number from 0 to 65535; got {port!r}")
    if browser not in ("true", "false"):
        raise UserError(f"browser must be true or false; got {browser!r}")
    return user_path(named[0]), int(port), browser == "true"


def files_of(folder: Path) -> dict[str, tuple[str, Read]]:
    """What is served of a run: its page, made where there is none, and its results and pictures by their names.

    Raises:
        UserError: it is no folder of a run.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give that of a run of `dfplan eval` or `dfplan bench`")
    page = folder / REPORT
    made = None if _is_plain(page) else _made(folder)
    files: dict[str, tuple[str, Read]] = {
        f"/{each.name}": (KINDS[each.suffix], partial(read_small, each, at_most=MOST_BYTES))
        for each in sorted(folder.iterdir())
        if each.suffix in KINDS and _is_plain(each)
    }
    files["/"] = (KINDS[".html"], files[f"/{REPORT}"][1] if made is None else lambda: made)
    return files


def _is_plain(path: Path) -> bool:
    """Whether it is a file itself: a link could lead out of the folder."""
    return path.is_file() and not path.is_symlink()


def _made(folder: Path) -> bytes:
    """The page of a run that has none, of what it left; also written there, if that is possible."""
    record = read_record(folder / RECORD)
    from dfplan.cli.report import report_record

    try:
        page = report_record(record, _rows(record), folder=folder).encode()
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
        raise UserError(f"{folder / RECORD}: not the results of `dfplan eval` or `dfplan bench` ({error!r})") from error
    try:
        write_whole(folder / REPORT, page)
    except UserError as error:
        print(printable(f"shown, but not kept: {error}"), file=sys.stderr)
    return page


def read_record(path: Path) -> dict[str, Any]:
    """What is in a results.json.

    Raises:
        UserError: there is none, or it is something else.
    """
    if not path.exists():
        raise UserError(f"{path.parent} has neither a {REPORT} nor a {RECORD}; give the folder of one run")
    try:
        record = json.loads(read_small(path, at_most=MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: no JSON ({error}); `dfplan verify {path}` says more") from error
    if not isinstance(record, dict) or not {"config", "env_id", "metrics", "agents"} & set(record):
        raise UserError(f"{path}: not the results of `dfplan eval` or `dfplan bench`")
    return record


def _rows(record: Mapping[str, Any]) -> Mapping[str, tuple[str, str, float, int]]:
    """How the measures of its environment are shown; by their names where it is not to be had here."""
    from dfplan.domains.find import find_domain

    env_id = record.get("env_id")
    try:
        if isinstance(env_id, str) and ":" not in env_id:  # what a colon precedes is a package that would be imported
            return find_domain(env_id).protocol().rows
    except UserError:
        pass
    shown = record["metrics"] if "metrics" in record else record["agents"][0]["metrics"]
    return {name: (name.replace("_", " "), "", 1, 3) for name in shown if name != "plan_seconds"}


def _open(address: str) -> None:
    """Open the page where there is a browser with windows; elsewhere the address is there to be copied."""
    windowed = sys.platform in ("win32", "darwin") or any(os.environ.get(each) for each in WINDOWED)
    if windowed:  # some browsers answer only when they are closed
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

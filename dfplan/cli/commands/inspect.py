"""``dfplan inspect``: what is in a data set of any robot, what is wrong with it, and a picture."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from dfplan.cli.arguments import read_words
from dfplan.cli.folders import make_run_folder, release
from dfplan.errors import UserError, printable
from dfplan.files import write_whole
from dfplan.ranges import closest

OPTIONS = {
    "data": "the data set",
    "output": "folder to write to; null = runs/inspect/<data>/<time>",
    "strict": "true = what is doubtful is refused, too",
    "picture": "false = none is drawn",
}
SWITCHES = {"strict": False, "picture": True}
HELP = """\
Look a data set over before training on it: shapes, ranges, ends and rewards, and whether the data contradict
themselves. Written are inspection.json and data.png, whose path is the last line printed.

usage: dfplan inspect data=DATA [output=FOLDER] [strict=true] [picture=false]

DATA is minari:<data set id>, .hdf5 (D4RL, robomimic), .npz (OGBench, Diffusion Policy), a LeRobot v3.0 folder, a
.zarr folder (Diffusion Policy), .csv or .npy (observations alone).

Wrong, and refused with exit status 2, is what contradicts itself: NaN, leaps of the state, flags inside of episodes
or a row off, actions outside of declared bounds, values far from all others, episodes that are there twice, in other
units or of another step time, gaps in time stamps. Doubtful, and only said unless strict=true, is what may be meant:
rows taken out again and again, actions that explain nothing of what happens or act the other way round in some
episodes, angles that begin anew, ends behind which the state goes on. That all actions are negated, or two
dimensions swapped in all episodes, no data set tells by itself.

examples:
  dfplan inspect data=my_robot.hdf5
  dfplan inspect data=minari:D4RL/door/human-v2 output=door strict=true"""


def run(words: Sequence[str]) -> int:
    """Inspect; the table first, the paths last.

    Raises:
        UserError: the data set cannot be read, or something is wrong with it: the first of it, with episode and row.
    """
    said = read_words("inspect", words)
    if said.help:
        print(HELP)
        return 0
    if said.sweep or said.show or said.config_folder:
        raise UserError(f"dfplan inspect takes {', '.join(OPTIONS)} alone; inspect data sets one after the other")
    chosen = _chosen(said.options)
    try:
        return _inspect(chosen["data"], output=chosen.get("output"), **_switches(chosen))
    finally:
        release()


def _chosen(options: Sequence[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in OPTIONS:
            raise UserError(
                f"dfplan inspect has no option {name!r}{closest(name, OPTIONS)}; choose {', '.join(OPTIONS)}"
            )
        chosen[name] = value
    if not chosen.get("data"):
        raise UserError("say what to inspect: data=<path>, or data=minari:<data set id>")
    return chosen


def _switches(chosen: dict[str, str]) -> dict[str, bool]:
    for name in SWITCHES:
        if chosen.get(name, "true") not in ("true", "false"):
            raise UserError(f"{name} must be true or false; got {chosen[name]!r}")
    return {name: chosen[name] == "true" if name in chosen else usual for name, usual in SWITCHES.items()}


def _inspect(source: str, *, output: str | None, strict: bool, picture: bool) -> int:
    from dfplan.data.formats import read
    from dfplan.data.inspection import inspect
    from dfplan.data.inspection.summary import lines_of

    data = read(source)
    found = inspect(data)
    print(printable("\n".join(lines_of(found.summary))))
    for each in found.findings:
        print(printable(f"{'WRONG' if each.wrong else 'doubtful'}: {each.kind}: {each}"))
    if not found.findings:
        print("nothing wrong found")
    folder = make_run_folder("inspect", env_name=_name(source), chosen=output)
    report = folder / "inspection.json"
    write_whole(report, json.dumps(found.as_json(), indent=1).encode())
    print(printable(str(report)))
    if picture:
        from dfplan.viz.dataset import draw_dataset  # loads matplotlib

        print(printable(str(draw_dataset(data, path=folder / "data.png"))))
    refused = list(found.findings if strict else found.wrong)
    if refused:
        more = f" (and {len(refused) - 1} more kinds of fault, listed above)" if len(refused) > 1 else ""
        raise UserError(f"{source}: {refused[0]}{more}")
    return 0


def _name(source: str) -> str:
    """A folder's name for a data set: its id, or the name of its file."""
    name = source.removeprefix("minari:") if source.startswith("minari:") else Path(source).name
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "data"

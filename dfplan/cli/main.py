"""Entry point ``dfplan``: picks the sub-command and turns every user mistake into one line and exit status 2.

Nothing heavy is imported here: ``dfplan --help`` answers at once, without torch and without Hydra.
"""

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence

from dfplan import __version__
from dfplan.errors import EndedEarly, UserError, printable

HELP = """\
dfplan: diffusion planning on offline data

usage: dfplan COMMAND [key=value ...]

  eval       roll an agent out and score it: table, results JSON, picture, a page to look at
  record     roll an agent out and write its episodes as a data set
  evolve     rounds of practice: unseen goals, what of that arrived, fine-tuning; the curve
  bench      agents side by side on the same episodes: scores, plans a second, memory
  view       show the page of an eval or a bench in a browser
  plan       make one plan and draw how it was denoised, row by row
  forecast   draw how a series that nobody acts on may go on; score that against what came
  train      train a model on a dataset; resume=<run folder> continues
  generate   make a dataset by D4RL's published procedure
  inspect    look a data set over: shapes, ranges, rewards, what is wrong with it, a picture
  export     write a trained planner as ONNX and torch.export, to run without training code
  verify     tell what a file or folder of dfplan is, and whether it is whole
  info       versions, device and folders: what to paste into a bug report
  completion what to put into your shell for tab completion

examples:
  dfplan eval env=maze2d-large
  dfplan eval env=maze2d-medium goal=random n_episodes=200 seed=7
  dfplan bench env=maze2d-large agents=default,fast
  dfplan plan env=maze2d-large start=1,1 goal=7,9
  dfplan train env=maze2d-umaze model=rnn

`dfplan COMMAND --help` lists the options of a command. `-m` sweeps: dfplan eval -m seed=0,1,2"""

# Of configurations, by Hydra.
COMPOSED = ("eval", "record", "evolve", "bench", "plan", "forecast", "train", "generate", "export")
COMMANDS = (*COMPOSED, "view", "inspect", "verify", "info", "completion")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``dfplan`` with the given arguments and return the exit status.

    0 is success, 2 a mistake of the user (one line on stderr), 3 a plan or a drive that breaks what it must keep, 130
    an interruption; above 128 a signal stopped a training, whose state is saved.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Read once, when torch is loaded. Threads that spin while they wait for others take the processor from those.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _print_whatever_happens()
    try:
        return _dispatch(arguments)
    except UserError as error:
        notes = printable("".join(f"; {each}" for each in getattr(error, "__notes__", ())))
        print(f"dfplan: error: {' '.join(f'{error}{notes}'.split())}", file=sys.stderr)
        return 2
    except EndedEarly as end:
        return end.status
    except KeyboardInterrupt:
        print("dfplan: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has gone. Give stdout a harmless end, or Python complains once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno == errno.ENOSPC:
            reason = f"no space left on the disk for {error.filename or 'the output'}; free some"
        elif error.filename is not None:
            reason = f"{error.filename}: {error.strerror}"
        else:
            raise
        print(f"dfplan: error: {printable(reason)}", file=sys.stderr)
        return 2


def _print_whatever_happens() -> None:
    """Have a terminal or log that is not UTF-8 show what it cannot as an escape, rather than end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(arguments: list[str]) -> int:
    if len(arguments) == 2 and arguments[0] == "help" and arguments[1] in COMMANDS:
        arguments = [arguments[1], "--help"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"dfplan {__version__}")
        return 0
    command, options = arguments[0], arguments[1:]
    if command not in COMMANDS:
        from dfplan.ranges import closest

        raise UserError(f"unknown command {command!r}{closest(command, COMMANDS)}; choose {', '.join(COMMANDS)}")
    if command in COMPOSED:
        from dfplan.cli import compose

        return compose.run(command, options)
    return importlib.import_module(f"dfplan.cli.{'' if command == 'completion' else 'commands.'}{command}").run(options)


if __name__ == "__main__":
    sys.exit(main())

"""Tab completion: ``dfplan completion bash`` prints a script for the shell, which then asks ``completion query``.

Hydra completes the options of one program; our sub-command would be a stray word in its command line, so it is taken
out of ``COMP_LINE`` first.
"""

import os
from collections.abc import Sequence

from dfplan.cli.main import COMMANDS
from dfplan.errors import UserError

SCRIPT = """\
_dfplan_complete() {
    local choices word
    choices=$(COMP_LINE="${COMP_LINE:0:COMP_POINT}" dfplan completion query 2>/dev/null)
    word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]/}
complete -o nospace -o default -F _dfplan_complete dfplan"""
SCRIPTS = {
    "bash": SCRIPT,
    "zsh": f"autoload -U +X compinit bashcompinit && compinit && bashcompinit\n{SCRIPT}",
}


def run(words: Sequence[str]) -> int:
    """Print the script for a shell, or answer a query of that script."""
    match list(words):
        case ["query"]:
            _answer(os.environ.get("COMP_LINE", ""))
        case [("bash" | "zsh") as shell]:
            print(SCRIPTS[shell])
        case [] | ["-h" | "--help"]:
            print('put this into ~/.bashrc:  eval "$(dfplan completion bash)"')
            print('or this into ~/.zshrc:    eval "$(dfplan completion zsh)"')
        case _:
            raise UserError(f"completion is for bash or zsh; got {' '.join(words)!r}")
    return 0


def _answer(line: str) -> None:
    words = line.split()
    if len(words) < 2 or (len(words) == 2 and not line[-1].isspace()):
        print("\n".join(f"{command} " for command in COMMANDS))
        return
    command = words[1]
    if command in ("eval", "bench", "plan", "train", "generate", "export"):
        from hydra._internal.core_plugins.bash_completion import BashCompletion
        from hydra.core.global_hydra import GlobalHydra

        from dfplan.cli.compose import reading

        program, _, rest = line.lstrip().partition(" ")
        os.environ["COMP_LINE"] = f"{program} {rest.lstrip().removeprefix(command).lstrip()}"
        with reading(None):
            BashCompletion(GlobalHydra.instance().config_loader()).query(command)

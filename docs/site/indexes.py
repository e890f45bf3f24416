"""Writes the indexes: every question of the log, every question of the benchmarks; ``--check`` compares."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from links import ROOT, named

BEGIN, END = "<!-- questions: written by docs/site/indexes.py -->", "<!-- end of questions -->"
LOG = ROOT / "docs" / "log"
RESULTS = ROOT / "docs" / "results"


def tried() -> str:
    """A list of each topic of each year of the log, the newest year and the newest question first."""
    parts = []
    for page in sorted(LOG.glob("*/*.md"), key=lambda path: (-int(path.parent.name), path.name)):
        title, *entries = re.findall(r"^##? (.+)$", page.read_text(), re.MULTILINE)
        address = page.relative_to(LOG).as_posix()
        listed = "\n".join(f"- [{entry}]({address}#{named(entry)})" for entry in entries)
        parts.append(f"### {page.parent.name}: [{title}]({address})\n\n{listed}")
    return "\n\n".join(parts)


def measured() -> str:
    """The question of each benchmark."""
    pages = sorted(ROOT.glob("benchmarks/*/README.md"))
    titles = {page: re.findall(r"^# (.+)$", page.read_text(), re.MULTILINE)[0] for page in pages}
    return "\n".join(f"- {page.parent.name}: [{titles[page]}](../../{page.relative_to(ROOT)})" for page in pages)


INDEXES: dict[Path, Callable[[], str]] = {LOG / "index.md": tried, RESULTS / "index.md": measured}


def main() -> int:
    """Write the indexes, or with ``--check`` answer 1 where one is not current."""
    current = True
    for page, write in INDEXES.items():
        before, rest = page.read_text().split(BEGIN)
        wanted = f"{before}{BEGIN}\n\n{write()}\n\n{END}{rest.split(END)[1]}"
        current &= wanted == page.read_text()
        if "--check" not in sys.argv[1:]:
            page.write_text(wanted)
    return 0 if current or "--check" not in sys.argv[1:] else 1


if __name__ == "__main__":
    sys.exit(main())

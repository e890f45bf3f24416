"""Writes the index of the log: every question, by topic, with a link; ``--check`` tells whether it is current."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from links import ROOT, named

LOG = ROOT / "docs" / "log"
BEGIN, END = "<!-- questions: written by docs/site/log_index.py -->", "<!-- end of questions -->"


def questions() -> str:
    """A list of each topic of each year, the newest year and the newest question first."""
    parts = []
    for page in sorted(LOG.glob("*/*.md"), key=lambda path: (-int(path.parent.name), path.name)):
        title, *entries = re.findall(r"^##? (.+)$", page.read_text(), re.MULTILINE)
        address = page.relative_to(LOG).as_posix()
        listed = "\n".join(f"- [{entry}]({address}#{named(entry)})" for entry in entries)
        parts.append(f"### {page.parent.name}: [{title}]({address})\n\n{listed}")
    return "\n\n".join(parts)


def main() -> int:
    """Write the index, or with ``--check`` answer 1 where it is not current."""
    page = LOG / "index.md"
    before, rest = page.read_text().split(BEGIN)
    wanted = f"{before}{BEGIN}\n\n{questions()}\n\n{END}{rest.split(END)[1]}"
    if "--check" in sys.argv[1:]:
        return int(wanted != page.read_text())
    page.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m dfplan`` is ``dfplan``."""

import sys

from dfplan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

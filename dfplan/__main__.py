"""``python -m dfplan`` is ``dfplan``."""

import sys

from dfplan.cli.main import main

sys.exit(main())

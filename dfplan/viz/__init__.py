"""Pictures of roll-outs, plans and data. No algorithm imports this package."""

import os
import sys
from contextlib import suppress

if "matplotlib" not in sys.modules and (_named := os.environ.pop("MPLBACKEND", None)):
    # A notebook's cell hands its backend down, which need not be installed here: matplotlib would not be imported.
    # Files are drawn without any.
    import matplotlib

    os.environ["MPLBACKEND"] = _named
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = _named

"""Axes that can be read."""

import math

from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter


def label_logarithmic(axis: Axis) -> None:
    """Give a logarithmic axis few labels, as plain numbers; to be called when everything is drawn.

    Matplotlib's own labels within a decade write over each other where an axis spans about one.
    """
    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    if decades < 0.8:
        axis.set_major_locator(MaxNLocator(4))
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1, 3) if decades < 3.5 else (1,)))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())
    if decades < 0.8:
        axis.set_minor_locator(NullLocator())

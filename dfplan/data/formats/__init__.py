"""Readers of data sets of any robot, one module a format; :func:`read` picks the one that fits."""

from dfplan.data.formats.choose import read as read

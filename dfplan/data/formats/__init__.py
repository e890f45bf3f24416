"""Readers and writers of data sets of any robot, one module a format; :func:`read` and :func:`write` choose."""

from dfplan.data.formats.choose import read as read
from dfplan.data.formats.choose import write as write

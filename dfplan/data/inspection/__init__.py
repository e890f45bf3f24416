"""Looks a data set over before anything is trained on it: what is in it, what is wrong with it, what is doubtful."""

from dfplan.data.inspection.finding import Finding as Finding
from dfplan.data.inspection.inspect import Inspection as Inspection
from dfplan.data.inspection.inspect import inspect as inspect

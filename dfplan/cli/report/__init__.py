"""``report.html``: what a run has measured as one page beside its results, to be looked at rather than read."""

from dfplan.cli.report.views import Seen
from dfplan.cli.report.write import REPORT, report_bench, report_evaluation, report_record

__all__ = ["REPORT", "Seen", "report_bench", "report_evaluation", "report_record"]

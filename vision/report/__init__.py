"""One self-contained HTML page over a sweep."""

from vision.report.page import write_report as write_report

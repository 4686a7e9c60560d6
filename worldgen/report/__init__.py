"""What people look at: the report page, contact sheets and curves; and what they say in return."""

from worldgen.report.page import write_report

__all__ = ["write_report"]

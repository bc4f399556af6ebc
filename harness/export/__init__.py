"""A run in the formats that other programs read, each made from the report's verdicts.json and run.json.

    junit     JUnit XML, for what shows test results: Jenkins, GitLab, GitHub actions, editors
    ctrf      CTRF (Common Test Report Format, ctrf.io), JSON for dashboards of test results
    crate     an archive: Process Run Crate with the measurements as Parquet, registrations, claims and the report

The Markdown for the page of a CI job is `harness.report.summary_markdown`.
"""

from harness.export.ctrf import ctrf
from harness.export.junit import junit
from harness.export.outcome import Outcome, outcome, properties

__all__ = ["Outcome", "ctrf", "junit", "outcome", "properties"]

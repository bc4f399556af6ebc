"""A run in the formats that other programs read, made from its verdicts.json and run.json.

    crate         an archive: Process Run Crate with the measurements as Parquet, the
                  registrations, the claims and the report
    properties    what pytest's own JUnit XML says of a claim (`pytest claims --junitxml FILE`)

The Markdown for the page of a CI job is `harness.report.summary_markdown`.
"""

from harness.export.properties import properties

__all__ = ["properties"]

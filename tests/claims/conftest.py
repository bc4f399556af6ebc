"""Papers' modules are imported as `claims.<paper>.<module>`, from this project's claims."""

from pathlib import Path

from harness import papers

papers.bind(Path(__file__).parents[2] / "claims")

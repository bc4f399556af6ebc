"""The report of `ntk-claims regime`: regime.json, and one self-contained page without scripts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput
from harness.report import as_text
from harness.report.html import page
from harness.report.values import plain

HEADINGS = {
    "SUPPORTED": "in the kernel regime",
    "REFUTED": "not in the kernel regime",
    "INCONCLUSIVE": "not decided",
    "DISAGREE": "backends disagree",
    "BROKEN": "not trusted",
}


def render(result: Mapping[str, Any]) -> str:
    """The page of a result of `harness.regime.study.compute`."""
    shown = plain(result, {})
    return page("regime.html.j2", result=shown, headings=HEADINGS)


def write(folder: Path, result: Mapping[str, Any]) -> Path:
    """Writes regime.json and regime.html into a folder, which is made if need be; the page's path.

    Raises:
        InvalidInput: if the folder cannot be written.
    """
    content = plain(result, {})
    texts = {"regime.json": as_text(content), "regime.html": render(result)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"The report cannot be written to {folder}: {error.strerror or error}. Name a folder "
            "that can be written."
        ) from error
    return folder / "regime.html"

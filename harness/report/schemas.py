"""Documents of a report as they are read back: strict JSON, and what their schemas ask for."""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from harness import strict_json
from harness.errors import InvalidInput
from harness.report.versions import current, in_words

AGAIN = "Write the report again from the store."


def checked(
    path: Path, schema: str, versions: tuple[int, ...] = (), advice: str = AGAIN
) -> dict[str, Any]:
    """The content of a file.

    Args:
        path: of the file.
        schema: "verdicts", "run" or "calibration", whose JSON Schemas are beside this module.
        versions: of the format that are read; empty for a format without any. Verdicts of the
            version before come back as those of this one.
        advice: what to do about a file that is refused.

    Raises:
        InvalidInput: if it cannot be read, is no strict JSON, has another version, or is not what
            the schema asks for.
    """
    try:
        content: Any = strict_json.load(path)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path} cannot be read as part of a report: {error}. {advice}"
        ) from error
    found = content.get("version") if isinstance(content, dict) else None
    if versions and found not in versions:
        raise InvalidInput(
            f"{path} has version {found!r} of the format; this program reads {in_words(versions)}. "
            f"{advice}"
        )
    content = current(content) if schema == "verdicts" else content
    for breach in _validator(schema).iter_errors(content):
        raise InvalidInput(
            f"{path} is not what {schema}.schema.json asks for, at {breach.json_path[:200]}: "
            f"{breach.message[:200]}. "
            f"{advice}"
        )
    return content


@cache
def _validator(schema: str) -> Draft202012Validator:
    text = (resources.files("harness.report") / f"{schema}.schema.json").read_text(
        encoding="utf-8"
    )
    return Draft202012Validator(json.loads(text))

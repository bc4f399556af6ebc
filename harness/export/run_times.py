"""The times of run.json as machines count them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


def moment(text: str) -> datetime:
    """A time of run.json, with its time zone; UTC where it names none.

    >>> moment("2026-11-21T14:30:00").isoformat()
    '2026-11-21T14:30:00+00:00'
    """
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)

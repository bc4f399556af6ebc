"""Versions of verdicts.json: which are read, and what one of the version before lacks."""

from typing import Any

VERSION, BEFORE = 3, 2
READ = (BEFORE, VERSION)


def in_words(versions: tuple[int, ...]) -> str:
    """Versions for a message.

    >>> in_words((3,)), in_words((2, 3))
    ('version 3', 'versions 2 and 3')
    """
    return f"version{'s' * (len(versions) > 1)} {' and '.join(map(str, versions))}"


def current(content: dict[str, Any]) -> dict[str, Any]:
    """A document of version 2 as one of version 3, whose reasons tell what decided and what stands
    beside apart.

    Version 2 told both in one text, which stays the reason; nothing is listed beside it.
    """
    if content["version"] != BEFORE:
        return content
    claims = content.get("claims")
    # What is no list or no object is left as it is: the schema refuses it by its place.
    return {**content, "version": VERSION} | (
        {"claims": [_with_beside(claim) for claim in claims]}
        if isinstance(claims, list)
        else {}
    )


def _with_beside(claim: Any) -> Any:
    verdict = claim.get("verdict") if isinstance(claim, dict) else None
    return (
        {**claim, "verdict": {"beside": [], **verdict}}
        if isinstance(verdict, dict)
        else claim
    )

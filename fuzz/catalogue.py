"""All targets."""

from functools import cache

from fuzz import archives, documents, stores
from fuzz.target import Target


@cache
def catalogue() -> dict[str, Target]:
    """Name -> target."""
    return {target.name: target for module in (stores, documents, archives) for target in module.targets()}

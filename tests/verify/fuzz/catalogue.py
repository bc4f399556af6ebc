"""All targets."""

from functools import cache

from tests.verify.fuzz import archives, documents, stores
from tests.verify.fuzz.target import Target


@cache
def catalogue() -> dict[str, Target]:
    """Name -> target."""
    return {
        target.name: target
        for module in (stores, documents, archives)
        for target in module.targets()
    }

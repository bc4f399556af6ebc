"""The old place of `harness.ridge`, until nothing imports it."""

from harness.ridge import by_validation

__all__ = ["by_validation"]

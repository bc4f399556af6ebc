"""The old place of `harness.measurements.Samples`, until nothing imports it."""

from harness.measurements import Samples

__all__ = ["Samples"]

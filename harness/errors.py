"""Everything that can go wrong, as one small tree.

    ClaimsError
    ├── InvalidInput          a name, shape, dtype or value that is not allowed
    │   └── NotMeasured       measurements are asked for an experiment of which they hold nothing
    ├── BackendUnavailable    a backend or device that was asked for is not there
    ├── DatasetUnavailable    a data set that was asked for is not there
    │   └── DatasetCorrupted  ... or is there, with the wrong bytes
    ├── StoreError            the store cannot be read or written
    │   ├── CellCorrupted     a cell file is truncated, altered or under the wrong name
    │   └── PackCorrupted     a pack is truncated, altered, too large, or none at all
    └── SweepFailed           cells that a verdict needs could not be computed

Each message names the thing, the value it had, what is allowed, and what to do next.
"""


class ClaimsError(Exception):
    """Base of every error this project raises on purpose."""


class InvalidInput(ClaimsError, ValueError):
    """A name, shape, dtype or value that is not allowed."""


class NotMeasured(InvalidInput):
    """Measurements hold nothing of an experiment, as where a tier leaves it out."""


class BackendUnavailable(ClaimsError, ImportError):
    """A backend, or the device it should use, is not there."""


class DatasetUnavailable(ClaimsError, OSError):
    """A data set is in none of the places where it was looked for."""


class DatasetCorrupted(DatasetUnavailable):
    """A data set was found, but its bytes are not the published ones."""


class StoreError(ClaimsError, OSError):
    """The store cannot be read or written."""


class CellCorrupted(StoreError):
    """A cell file is truncated, altered, or stored under another cell's name."""


class PackCorrupted(StoreError):
    """A pack is truncated, altered, larger than allowed, or no pack at all."""


class SweepFailed(ClaimsError, RuntimeError):
    """Cells that a verdict needs could not be computed."""

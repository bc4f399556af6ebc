"""Packages that only some formats need: imported when asked for."""

import importlib
from types import ModuleType

from harness.errors import InvalidInput


def imported(module: str, wanted: str) -> ModuleType:
    """A module of a package that the extra `export` installs.

    Args:
        module: its full name.
        wanted: what needs it, for the message.

    Raises:
        InvalidInput: if it is not installed, naming the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InvalidInput(
            f"{wanted} needs {module.split('.')[0]}, which cannot be imported ({error}). "
            "Install the extra: pip install 'ntk-claims[export]'."
        ) from error

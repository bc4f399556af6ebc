"""A reader under test, and the verdict on one input."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.verify.fuzz import mutations


@dataclass(frozen=True)
class Target:
    """A reader of files.

    Args:
        name: of the target.
        samples: valid contents of the file.
        read: takes an empty folder and a content; reads it as a user's command would, and raises
            AssertionError if what comes out is not what a valid value is.
        refusals: the errors that the reader documents.
        mutate: alters a content; bytes by default.
    """

    name: str
    samples: Sequence[bytes]
    read: Callable[[Path, bytes], object]
    refusals: tuple[type[Exception], ...]
    mutate: Callable[[random.Random, bytes], bytes] = mutations.altered

    def input(self, seed: int, number: int) -> bytes:
        """The altered sample of that number."""
        draws = random.Random(f"{seed}/{self.name}/{number}")
        return self.mutate(draws, draws.choice(self.samples))

    def refuses(self, folder: Path, content: bytes) -> bool:
        """Whether a content is refused, True, or read, False.

        Raises:
            AssertionError: if it was refused for want of memory, or read as what it is not.
            Exception: whatever else the reader raises: a finding.
        """
        try:
            self.read(folder, content)
        except self.refusals as error:
            starved = [
                cause for cause in _causes(error) if isinstance(cause, MemoryError)
            ]
            if starved:
                raise AssertionError(
                    f"{self.name} takes memory without bound: {error}"
                ) from error
            return True
        return False


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

"""Progress of a sweep: one live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

PLAIN_INTERVAL = 10.0
WIDTH = 78
NOT_YET = "time left not known yet"


@dataclass(frozen=True)
class Status:
    """How far a sweep is.

    Args:
        planned: different cells asked for.
        cached: of these, found in the store.
        done, failed: of the others, computed and given up.
        left: seconds still to go; None while not known.
        notices: what had to be set aside so far.
        ended: nothing more will come.
    """

    planned: int
    cached: int
    done: int = 0
    failed: int = 0
    left: float | None = None
    notices: tuple[str, ...] = ()
    ended: bool = False

    def describe(self) -> str:
        """One line.

        >>> Status(planned=40, cached=8, done=4, left=400.0).describe()
        'cells: 12 of 40 done (8 cached), 0 failed, about 7 min left'
        """
        text = (
            f"cells: {self.cached + self.done} of {self.planned} done ({self.cached} "
            f"cached), {self.failed} failed"
        )
        unfinished = self.planned - self.cached - self.done - self.failed
        if self.ended:
            return f"{text}, {unfinished} unfinished" if unfinished else text
        return (
            f"{text}, "
            f"{NOT_YET if self.left is None else f'about {duration(self.left)} left'}"
        )


def duration(seconds: float) -> str:
    """A duration in words, to two digits or so.

    >>> duration(7.2), duration(400), duration(20_000)
    ('7 s', '7 min', '5.6 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Progress:
    """Shows each status that it is called with, where there is something to show.

    Args:
        write: takes text; line ends are part of it.
        live: True rewrites one line (a terminal); False writes a line about every ten seconds, and
            at the end.
        clock: seconds.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        live: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.write, self.live, self.clock = write, live, clock
        self._next = clock() + PLAIN_INTERVAL
        self._noticed = 0

    def __call__(self, status: Status) -> None:
        """Shows a status."""
        for notice in status.notices[self._noticed :]:
            self.write(f"\r{notice:<{WIDTH}}\n" if self.live else f"{notice}\n")
        self._noticed = len(status.notices)
        if self.live:
            self.write(f"\r{status.describe():<{WIDTH}}" + "\n" * status.ended)
        elif status.ended or self.clock() >= self._next:
            self._next = self.clock() + PLAIN_INTERVAL
            self.write(status.describe() + "\n")


def on(stream: TextIO = sys.stderr) -> Progress:
    """Progress on a stream: live if it is a terminal."""

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    return Progress(write, live=stream.isatty())


def silent(status: Status) -> None:
    """Shows nothing."""

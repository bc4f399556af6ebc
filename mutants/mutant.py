"""A mutant: one defect, planted by replacing one piece of source text."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class StaleMutant(Exception):
    """The source no longer has the text that a mutant replaces, or has it more than once."""


@dataclass(frozen=True)
class Mutant:
    """A planted defect and what must notice it.

    Args:
        name: unique, lower case, words joined by hyphens.
        what: what goes wrong, in one sentence, as a reviewer would say it.
        file: the source file, relative to the project's root.
        old, new: the text that is replaced, which the file has exactly once, and what takes its place.
        caught_by: pytest node ids, of which at least one must fail.
        at_import: whether an error while tests are collected counts as caught; else only a test that fails does.
        known_missed: why nothing catches it, where nothing does; "" everywhere else.
    """

    name: str
    what: str
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]
    at_import: bool = False
    known_missed: str = ""

    def plant(self, root: Path) -> str:
        """Writes the defect into the copy of the sources at `root`; the text of the file before.

        Raises:
            StaleMutant: if the file is not there, or does not have `old` exactly once.
        """
        path = root / self.file
        if not path.is_file():
            raise StaleMutant(f"Mutant {self.name!r}: there is no {self.file}. Point it to where the code is now.")
        sound = path.read_text(encoding="utf-8")
        if (count := sound.count(self.old)) != 1:
            raise StaleMutant(
                f"Mutant {self.name!r}: {self.file} has the text {self.old!r} {count} times; it must be there exactly "
                "once. Rewrite the mutant for the code as it is now."
            )
        path.write_text(sound.replace(self.old, self.new), encoding="utf-8")
        return sound

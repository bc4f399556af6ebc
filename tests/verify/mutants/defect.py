"""A defect: what takes the place of a named function, and what must notice it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Replacement = Callable[..., Any]


@dataclass(frozen=True)
class Defect:
    """A planted defect.

    Args:
        target: "package.module:function", "package.module:Class.method" or
            "package.module:CONSTANT".
        caught_by: pytest node ids, of which at least one must fail.
        replacement: called in place of the target, with the sound target first and then the
            target's own arguments. In place of a constant it is called once, and what it returns is
            the constant.
    """

    target: str
    caught_by: tuple[str, ...]
    replacement: Replacement

    @property
    def name(self) -> str:
        """The name of the replacement."""
        return self.replacement.__name__

    @property
    def module(self) -> str:
        """The module in which it is planted."""
        return self.target.partition(":")[0]

    @property
    def sentence(self) -> str:
        """What goes wrong, in one sentence."""
        return " ".join((self.replacement.__doc__ or "").split())


class Defects(dict[str, Defect]):
    """The defects of one part of the harness, by name."""

    def plant(
        self, target: str, *caught_by: str
    ) -> Callable[[Replacement], Replacement]:
        """A decorator: the function takes the target's place, and these tests must catch it."""

        def enter(replacement: Replacement) -> Replacement:
            defect = Defect(target, caught_by, replacement)
            if defect.name in self:
                raise ValueError(f"Two defects are named {defect.name!r}; rename one.")
            self[defect.name] = defect
            return replacement

        return enter

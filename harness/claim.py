"""The form in which a claim is written: one file, whose docstrings are what the report prints.

The module's docstring begins with the title and has four headings:

    Claim      what the paper says, as a paraphrase
    Measured   how we make that measurable
    Departs    where that departs from the paper
    Limits     what the verdict does not say

Below it stand the experiments, and decorated functions of the measurements `m`:

    claim = Claim(__doc__, id="roe2024/gap", paper=PAPER, locus="Figure 2", seeds=10)

    widths = claim.experiment(kernel_change, grid(width=(64, 256), depth=3), full=dict(depth=10))

    @claim.effect(primary=True, ratio=True, above=1.5, expect=(2.1, 0.3), because="...")
    def narrow_over_wide(m):
        \"\"\"The kernel of a narrow network changes {} times as much as that of a wide one.\"\"\"
        return m[widths]("kernel_change", width=64) / m[widths]("kernel_change", width=256)

An effect gives one number per seed. The harness holds it against the rule that the decorator names;
"{}" in the docstring is where the measured value goes.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from harness.errors import DatasetUnavailable, InvalidInput, NotMeasured
from harness.experiment import (
    TIERS,
    Absent,
    Configuration,
    Experiment,
    Measurements,
    Tier,
    canonical,
    grid,
)
from harness.plots import Builder, Figure
from harness.study import (
    Control,
    Difference,
    Equivalence,
    Expected,
    Gate,
    Hypothesis,
    Paper,
    Published,
    Rule,
    Statement,
    Study,
    Superiority,
)

__all__ = ["Claim", "Paper", "Published", "grid"]

HEADINGS = ("Claim", "Measured", "Departs", "Limits")
MOST_SECONDARY = 4

Estimator = Callable[..., np.ndarray]
Check = Callable[..., str]


class Terms(TypedDict, total=False):
    """What an effect is held against, and what its check is powered for.

    Keys:
        primary: whether the effect makes the verdict; secondary effects stand beside it.
        above, within, differs: the rule; exactly one. `above`: the mean exceeds it. `within`: the
            mean lies nearer to zero (of a ratio: to one) than it. `differs`: the mean lies farther
            from zero (one), on either side.
        ratio: the function gives ratios, and the rule speaks of them; the harness takes natural
            logarithms.
        expect: (effect, sd over seeds) that the check is powered for; the sd of a ratio is that of
            its logarithm. With `each`, a mapping from the parameter, or the tuple of parameters, to
            such a pair.
        because: why this margin is the smallest effect of interest.
        each: the parameters of several hypotheses of one form, as `grid` gives them.
        agreement: margin of the backends' TOST; half of the rule's margin unless given.
        bounds: the range of the effect, where it has one.
        published: the number that the paper prints for the effect; with `each`, a mapping as for
            `expect`.
        tiers: at which the effect is decided on.
        against_title: True where a secondary effect that is SUPPORTED speaks against the claim's
            title, such as an order that turns out reversed; the report counts it so.
        alpha: level of the rule, 0.05 unless given.
    """

    primary: bool
    above: float
    within: float
    differs: float
    ratio: bool
    expect: Any
    because: str
    each: Sequence[Configuration]
    agreement: Any
    bounds: tuple[float, float]
    published: Any
    tiers: tuple[str, ...]
    against_title: bool
    alpha: float


@dataclass(frozen=True)
class Member:
    """One effect or control: the name under which it is registered, its function, and the
    parameters of its call.
    """

    name: str
    function: Estimator
    parameters: Configuration
    ratio: bool

    def __call__(self, m: Measurements) -> np.ndarray | Absent:
        """One effect per seed, a ratio as its natural logarithm; Absent where a data set is not
        there.
        """
        try:
            values = np.asarray(self.function(m, **self.parameters), dtype=np.float64)
        except DatasetUnavailable as error:
            return Absent(str(error))
        if not self.ratio:
            return values
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # a ratio that is not positive has no logarithm: NaN, -inf
            return np.log(values)


@dataclass
class Claim:
    """A claim as its file writes it; `study` is the claim as the harness verifies it.

    Args:
        text: the docstring of the file: the title, then the four headings.
        id: "<paper>/<predicate>"; the file is claims/<paper>/test_<predicate>.py.
        paper: what was read, and how.
        locus: where in the paper the claim stands.
        seeds: replicates of every experiment at the quick and at the full tier.
        stream: names the seeds; a configuration that was explored is registered with a fresh
            stream.

    Raises:
        InvalidInput: if a heading is missing, empty, unknown, or there twice.
    """

    text: str
    id: str
    paper: Paper
    locus: str
    seeds: tuple[int, int] = (10, 20)
    stream: str = "registered"
    experiments: list[Experiment] = field(default_factory=list, init=False, repr=False)
    hypotheses: list[Hypothesis] = field(default_factory=list, init=False, repr=False)
    controls: list[Control] = field(default_factory=list, init=False, repr=False)
    gates: list[tuple[Gate, Check]] = field(
        default_factory=list, init=False, repr=False
    )
    members: list[Member] = field(default_factory=list, init=False, repr=False)
    figures: list[Builder] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.title, self.sections = _sections(self.text, self.id)

    @property
    def family(self) -> str:
        """The claims of one paper, over which Holm corrects."""
        return self.id.partition("/")[0]

    def experiment(
        self,
        measure: Callable[..., Mapping[str, np.ndarray]],
        cells: Sequence[Configuration],
        *,
        full: Mapping[str, Any] | Sequence[Configuration] = (),
        dtype: str = "float32",
        stream: str | None = None,
        block: int | None = None,
    ) -> Experiment:
        """Adds a computation over a grid; the experiment is what measurements are asked by.

        Args:
            measure: the computation, a function of a module of the paper or of
                `harness.measurements`.
            cells: the configurations of the quick tier, as `grid` gives them; none if the full tier
                alone has it.
            full: what the full tier changes in each of them, where a tuple is an axis; or all its
                configurations.
            dtype: precision asked of the backends.
            stream: the claim's unless given.
            block: how many seeds share a cell of the full tier; all of them unless given.
        """
        quick, more = self.seeds
        many = (
            overridden(cells, full)
            if isinstance(full, Mapping)
            else tuple(full) or tuple(cells)
        )
        added = Experiment(
            measure,
            Tier(unique(cells), quick),
            Tier(unique(many), more, block),
            dtype,
            stream or self.stream,
        )
        self.experiments.append(added)
        return added

    def effect(self, **terms: Unpack[Terms]) -> Callable[[Estimator], Estimator]:
        """Decorates a function of the measurements that gives one effect per seed; see `Terms`.

        Raises:
            InvalidInput: for a key that `Terms` does not have.
        """
        for key in terms.keys() - Terms.__annotations__.keys():
            known = ", ".join(Terms.__annotations__)
            raise InvalidInput(
                f"Claim {self.id!r}: an effect has no {key!r}. It takes: {known}."
            )

        def add(function: Estimator) -> Estimator:
            for parameters in terms.get("each", ({},)):
                hypothesis = _hypothesis(function, parameters, terms)
                self.hypotheses.append(hypothesis)
                self.members.append(
                    Member(
                        hypothesis.name, function, parameters, terms.get("ratio", False)
                    )
                )
            return function

        return add

    def control(
        self,
        expected: Expected,
        of: Estimator,
        each: Sequence[Configuration] = ({},),
        at: Configuration | None = None,
    ) -> Callable[[Estimator], Estimator]:
        """Decorates a function whose truth is known by construction; the rule of the effect `of`
        decides on it.

        Args:
            expected: how it must come out.
            of: an effect of the claim that stands above.
            each: the parameters of several controls of one form.
            at: which parameters of the effect, where it has `each`; the first unless given.

        Raises:
            InvalidInput: if `of` is no effect of the claim that stands above, or has no such
                parameters.
        """
        wanted = at or {}
        ruled = [
            member
            for member in self.members
            if member.function is of and wanted.items() <= member.parameters.items()
        ]
        if not ruled:
            name = getattr(of, "__name__", repr(of))
            known = (
                ", ".join(hypothesis.name for hypothesis in self.hypotheses) or "none"
            )
            place = f" at {wanted}" if wanted else ""
            raise InvalidInput(
                f"Claim {self.id!r}: a control is of {name!r}{place}, which is no effect above it. "
                f"Effects: {known}."
            )

        def add(function: Estimator) -> Estimator:
            for parameters in each:
                name, why = _named(function, parameters), _said(function, parameters)
                self.controls.append(Control(name, ruled[0].name, expected, why))
                self.members.append(Member(name, function, parameters, ruled[0].ratio))
            return function

        return add

    def gate(
        self, failure: Literal["INCONCLUSIVE", "BROKEN"] = "INCONCLUSIVE"
    ) -> Callable[[Check], Check]:
        """Decorates a condition without which no verdict counts: "" where it holds, else one line
        that says why not.
        """

        def add(function: Check) -> Check:
            self.gates.append(
                (Gate(function.__name__, _said(function, {}), failure), function)
            )
            return function

        return add

    def figure(self, build: Builder, *more: Builder) -> Builder:
        """Adds figures: functions of the measurements of one backend; also a decorator of one."""
        self.figures += [build, *more]
        return build

    @property
    def study(self) -> Study:
        """The claim as the harness verifies it.

        Raises:
            InvalidInput: as `Statement` does, and for more secondary effects than a reader can take
                in.
        """
        secondary = [
            m.function
            for m in self.members
            if m.name in {h.name for h in self.hypotheses if not _primary(h)}
        ]
        if len(set(secondary)) > MOST_SECONDARY:
            raise InvalidInput(
                f"Claim {self.id!r} has {len(set(secondary))} secondary effects; at most "
                f"{MOST_SECONDARY} are allowed. "
                "Keep those without which the verdict would be misread, and show the others in a "
                "figure."
            )
        statement, measured, departs, limits = (
            self.sections[heading] for heading in HEADINGS
        )
        return Study(
            Statement(
                id=self.id,
                paper=replace(self.paper, locus=self.locus),
                title=self.title,
                statement=statement,
                operationalised=measured,
                departs=departs,
                limits=limits,
                family=self.family,
                hypotheses=tuple(self.hypotheses),
                controls=tuple(self.controls),
                gates=tuple(gate for gate, _ in self.gates),
            ),
            experiments=tuple(self.experiments),
            effects=self._effects,
            gates=self._gates,
            figures=self._figures,
            estimators=tuple(
                dict.fromkeys(
                    [m.function for m in self.members]
                    + [check for _, check in self.gates]
                )
            ),
        )

    def _effects(self, m: Measurements) -> dict[str, np.ndarray | Absent]:
        """Every effect; one of a single tier is left out where its experiment is not measured."""
        of_one_tier = {
            hypothesis.name
            for hypothesis in self.hypotheses
            if set(hypothesis.tiers) != set(TIERS)
        }
        effects = {}
        for member in self.members:
            try:
                effects[member.name] = member(m)
            except NotMeasured:
                if member.name not in of_one_tier:
                    raise
        return effects

    def _gates(self, m: Measurements) -> dict[str, str]:
        return {gate.name: check(m) for gate, check in self.gates}

    def _figures(self, by_backend: Mapping[str, Measurements]) -> tuple[Figure, ...]:
        """The figures of the first backend; one is left out where what it shows is not of the tier,
        or not there.
        """
        m = next(iter(by_backend.values()))
        figures = []
        for build in self.figures:
            with suppress(NotMeasured, DatasetUnavailable):
                figures.append(build(m))
        return tuple(figures)


def overridden(
    cells: Sequence[Configuration], changes: Mapping[str, Any]
) -> tuple[Configuration, ...]:
    """The configurations with some values changed, each once, in order; a tuple among the changes
    is an axis.

    >>> overridden(grid(width=(64, 128), depth=3), dict(width=256))
    ({'width': 256, 'depth': 3},)
    >>> overridden(grid(width=64, depth=(3, 10)), dict(width=(256, 512)))[:2]
    ({'width': 256, 'depth': 3}, {'width': 512, 'depth': 3})
    """
    return unique([{**cell, **change} for cell in cells for change in grid(**changes)])


def unique(cells: Sequence[Configuration]) -> tuple[Configuration, ...]:
    """Each configuration once, in order."""
    return tuple({canonical(cell): cell for cell in cells}.values())


def _sections(text: str, claim: str) -> tuple[str, dict[str, str]]:
    """The title of a claim's docstring, and its text under each heading, in one line each."""
    first, _, rest = inspect.cleandoc(text or "").partition("\n\n")
    title, lines = " ".join(first.split()), rest.split("\n")
    found: dict[str, list[str]] = {}
    heading = ""
    for line in lines:
        if line and not line.startswith(" "):
            heading = line.strip()
            if heading in found:
                raise InvalidInput(
                    f"The docstring of claim {claim!r} has the heading {heading!r} twice."
                )
            found[heading] = []
        elif line.strip():
            found.setdefault(heading, []).append(line.strip())
    sections = {heading: " ".join(parts) for heading, parts in found.items()}
    missing = [heading for heading in HEADINGS if not sections.get(heading)]
    unknown = [heading for heading in sections if heading not in HEADINGS]
    if not title.strip() or missing or unknown:
        raise InvalidInput(
            f"The docstring of claim {claim!r} must have a title and, each with a text below it, "
            "the headings "
            f"{', '.join(HEADINGS)}; missing or empty: {', '.join(missing) or 'none'}; unknown: "
            f"{unknown or 'none'}."
        )
    return title.strip().rstrip("."), sections


def _hypothesis(
    function: Estimator, parameters: Configuration, terms: Terms
) -> Hypothesis:
    name = _named(function, parameters)
    missing = [key for key in ("expect", "because") if key not in terms]
    if missing:
        raise InvalidInput(
            f"Effect {name!r} must say {' and '.join(missing)}; see harness.claim.Terms."
        )
    effect, sd = _of(terms["expect"], parameters, f"expect of effect {name!r}")
    ratio = terms.get("ratio", False)
    return Hypothesis(
        name=name,
        statement=_sentence(function, parameters),
        rule=_rule(name, terms),
        why_margin=terms["because"],
        expected_effect=_logarithm(effect, name) if ratio else effect,
        expected_sd=sd,
        role="primary" if terms.get("primary") else "secondary",
        agreement=_of(
            terms.get("agreement"), parameters, f"agreement of effect {name!r}"
        ),
        scale="ratio" if ratio else "linear",
        bounds=terms.get("bounds"),
        published=_published(
            _of(terms.get("published"), parameters, f"published of effect {name!r}"),
            ratio,
            name,
        ),
        tiers=terms.get("tiers", TIERS),
        against_title=terms.get("against_title", False),
    )


def _published(number: Published | None, ratio: bool, name: str) -> Published | None:
    """The paper's number on the scale of the effect."""
    return (
        replace(number, value=_logarithm(number.value, name))
        if number and ratio
        else number
    )


def _rule(name: str, terms: Terms) -> Rule:
    """The rule that the terms name; the margin of a ratio is taken to logarithms."""
    rules: dict[str, Callable[[float, float], Rule]] = {
        "above": Superiority,
        "within": Equivalence,
        "differs": Difference,
    }
    chosen = [key for key in rules if key in terms]
    if len(chosen) != 1:
        raise InvalidInput(
            f"Effect {name!r} must name one rule of {', '.join(rules)}; it names "
            f"{chosen or 'none'}."
        )
    (key,) = chosen
    margin = float(terms[key])  # type: ignore[literal-required]
    if terms.get("ratio"):
        margin = _logarithm(margin, name)
    return rules[key](margin, terms.get("alpha", 0.05))


def _logarithm(value: float, name: str) -> float:
    if not value > 0:
        raise InvalidInput(
            f"Effect {name!r} is a ratio, so what is said of it must be positive; got {value!r}."
        )
    return math.log(value)


def _of(value: Any, parameters: Configuration, what: str) -> Any:
    """The value for these parameters, where it is a mapping from them."""
    if not isinstance(value, Mapping):
        return value
    found = tuple(parameters.values())
    case = found[0] if len(found) == 1 else found
    if case not in value:
        raise InvalidInput(
            f"{what} has nothing for {case!r}, a case of its `each`; it has "
            f"{', '.join(map(repr, value)) or 'none'}. Add the case to the mapping."
        )
    return value[case]


def _named(function: Callable[..., Any], parameters: Configuration) -> str:
    """The function's name and, in brackets, those of its parameters, as pytest writes them."""
    inside = "-".join(
        str(getattr(value, "name", value)) for value in parameters.values()
    )
    return f"{function.__name__}[{inside}]" if parameters else function.__name__


def _said(function: Callable[..., Any], parameters: Configuration) -> str:
    """The docstring in one line, with the parameters put in."""
    text = " ".join((inspect.getdoc(function) or "").split())
    if not text:
        raise InvalidInput(
            f"{function.__name__!r} needs a docstring: the report prints it."
        )
    return text.format("{}", **parameters) if parameters or "{}" in text else text


def _sentence(function: Callable[..., Any], parameters: Configuration) -> str:
    text = _said(function, parameters)
    if text.count("{}") != 1:
        raise InvalidInput(
            f"The docstring of effect {function.__name__!r} must have {{}} once, where its value "
            f"goes; got {text!r}."
        )
    return text


def _primary(hypothesis: Hypothesis) -> bool:
    return hypothesis.role == "primary"

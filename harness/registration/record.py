"""What registration freezes of a claim (rules of evidence 2), typed and validated, and its digest.

The digest is the SHA-256 of the record's canonical JSON. Everything in it matters: what the paper
is said to say, how it is made measurable, the grids, seeds and streams, hypotheses with their
rules, margins and what they are powered for, controls, gates, the code that turns measurements into
effects, and the versions of the estimators under it (`harness.registration.code`).
"""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PositiveInt,
    ValidationError,
)

from harness import experiment
from harness.errors import InvalidInput
from harness.registration.code import code_of
from harness.study import Study

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """Values as they are: nothing is converted, nothing unknown is accepted, nothing can be
    changed.
    """

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False
    )


class PaperRecord(Strict):
    """`harness.study.Paper`."""

    authors: Text
    year: int
    title: Text
    locus: Text
    read: Text


class RuleRecord(Strict):
    """`harness.study.Superiority`, `Equivalence` or `Difference`."""

    kind: Literal["Superiority", "Equivalence", "Difference"]
    margin: float
    alpha: float


class PublishedRecord(Strict):
    """`harness.study.Published`."""

    value: float
    source: Text
    read: Text


class HypothesisRecord(Strict):
    """`harness.study.Hypothesis`; an open end of its bounds is null."""

    name: Text
    statement: Text
    rule: RuleRecord
    why_margin: Text
    expected_effect: float
    expected_sd: float
    role: Literal["primary", "secondary"]
    agreement: float | None
    label: str
    scale: Literal["linear", "ratio"]
    bounds: tuple[float | None, float | None] | None
    published: PublishedRecord | None
    tiers: tuple[Literal["quick", "full"], ...] = ("quick", "full")
    against_title: bool = False


class ControlRecord(Strict):
    """`harness.study.Control`."""

    name: Text
    hypothesis: Text
    expected: Literal["SUPPORTED", "not SUPPORTED"]
    why: Text


class GateRecord(Strict):
    """`harness.study.Gate`."""

    name: Text
    statement: Text
    failure: Literal["INCONCLUSIVE", "BROKEN"]


class StatementRecord(Strict):
    """`harness.study.Claim`."""

    id: Text
    paper: PaperRecord
    title: Text
    statement: Text
    operationalised: Text
    departs: str
    family: Text
    hypotheses: tuple[HypothesisRecord, ...]
    controls: tuple[ControlRecord, ...]
    gates: tuple[GateRecord, ...]
    limits: str


class TierRecord(Strict):
    """`harness.experiment.Tier`: replicates 0 ... replicates - 1 of every configuration."""

    grid: tuple[dict[str, JsonValue], ...]
    replicates: PositiveInt
    block: PositiveInt | None


class ExperimentRecord(Strict):
    """`harness.experiment.Experiment`; the seeds follow from the stream and the replicates'
    numbers.
    """

    measure: Text
    dtype: Text
    stream: Text
    tiers: dict[Literal["quick", "full"], TierRecord]


class ClaimRecord(Strict):
    """Everything about a claim that is fixed before its experiments run."""

    claim: StatementRecord
    experiments: tuple[ExperimentRecord, ...]
    code: Digest | Literal[""] = Field(
        description='Of effects, gates and what they name; "" if in no file.'
    )
    estimators: dict[str, PositiveInt] = Field(
        default_factory=dict,
        description="Versions of the modules of harness.statistics under effects and verdict.",
    )

    @staticmethod
    def of(study: Study) -> "ClaimRecord":
        """The record of a claim's file as it is now.

        Raises:
            InvalidInput: if a value is of another type, not finite, or an empty text where one is
                due.
        """
        content = {
            **study.claim.record(study.experiments),
            "code": (code := code_of(study)).digest,
            "estimators": code.estimators,
        }
        try:
            return ClaimRecord.model_validate_json(experiment.canonical(content))
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"Claim {study.claim.id!r} cannot be registered: {_said(error)}. It must consist "
                "of text, finite "
                "Python numbers, tuples and dicts."
            ) from error

    @property
    def content(self) -> dict[str, Any]:
        """The record as JSON values."""
        # what came later than the first records
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the canonical JSON of the record."""
        return experiment.digest(self.content)


class Registration(Strict):
    """A file of claims/registrations: the record that holds now, and where its history ends."""

    claim: Text
    date: Text = Field(
        description="Day (UTC, ISO 8601) on which this record was registered or amended."
    )
    digest: Digest = Field(description="SHA-256 of the canonical JSON of the record.")
    history: Digest = Field(description="SHA-256 of the last line of the claim's log.")
    record: ClaimRecord


def json_schema() -> str:
    """The JSON Schema of a file of claims/registrations, as text."""
    return json.dumps(Registration.model_json_schema(), sort_keys=True, indent=1) + "\n"


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r}"
            for e in error.errors()
        )
    return str(error)

"""verdicts.json: what is in it, and what is refused."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from harness import report
from harness.errors import InvalidInput
from harness.plots import Figure, Series
from harness.report.values import plain
from harness.statistics.power import power
from harness.study import Study, Superiority
from harness.verdict import Kind, decide

VALIDATOR = jsonschema.Draft202012Validator


def single(claim, verdict, **changes):
    """The document of one claim, and the claim in it."""
    entry = report.Entry(
        Study(claim, (), effects=dict), verdict, "digest", replicates=12
    )
    document = report.document(
        [replace(entry, **changes)], verdict.tier, ["torch", "jax"], {}
    )
    return document, document["claims"][0]


def figure(*series):
    return Figure("Curves", "What they show.", "n", "error", series)


def test_every_verdict_is_in_the_example(document):
    assert document["counts"] == dict.fromkeys(Kind, 1)


@pytest.mark.parametrize("name", ["document", "hostile_document"])
def test_the_document_follows_the_published_schema(name, schema, request):
    VALIDATOR.check_schema(schema)
    jsonschema.validate(request.getfixturevalue(name), schema, VALIDATOR)


def test_the_schema_allows_nothing_else(document, schema):
    changed = json.loads(json.dumps(document))
    changed["claims"][0]["hypotheses"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(changed, schema, VALIDATOR)


def test_the_schema_closes_every_object(schema):
    def objects(part):
        if isinstance(part, dict):
            yield from [part] if part.get("type") == "object" else []
            for inner in part.values():
                yield from objects(inner)
        if isinstance(part, list):
            for inner in part:
                yield from objects(inner)

    closed = [part.get("additionalProperties") for part in objects(schema)]
    assert len(closed) > 15
    assert True not in closed
    assert None not in closed


def test_numbers_keep_every_digit(scaling):
    claim, verdict = scaling
    _, written = single(claim, verdict)
    exact = verdict.hypotheses["exponent beats NTK"].backends["jax"]
    read = json.loads(json.dumps(written))["hypotheses"][1]["verdict"]["backends"][
        "jax"
    ]
    numbers = {
        name: getattr(exact, name) for name in ("n", "mean", "sd", "low", "high", "p")
    }
    assert read == numbers | {"bootstrap": list(exact.bootstrap)}


def test_numbers_that_json_lacks_are_null_and_noted(scaling, schema):
    claim, verdict = scaling
    effects = {"torch": {"exponent beats NTK": (0.1, float("nan"), float("-inf"))}}
    document, written = single(claim, replace(verdict, p=float("inf"), effects=effects))
    assert written["effects"]["torch"]["exponent beats NTK"] == [0.1, None, None]
    assert written["verdict"]["p"] is None
    assert document["not_finite"] == {
        "/claims/0/effects/torch/exponent beats NTK/1": "NaN",
        "/claims/0/effects/torch/exponent beats NTK/2": "-Infinity",
        "/claims/0/verdict/p": "Infinity",
    }
    jsonschema.validate(document, schema, VALIDATOR)
    json.dumps(document, allow_nan=False)


def test_an_infinite_end_of_the_bootstrap_is_null_and_noted(scaling, schema):
    """Resamples without spread are frequent where all seeds but one agree."""
    claim, verdict = scaling
    decided = decide(
        {
            "torch": [0.1, 0.1, 0.1, 0.1, 0.1, 0.4],
            "jax": [0.4, 0.4, 0.4, 0.4, 0.4, 0.1],
        },
        Superiority(0.2),
    )
    assert (
        decided.backends["torch"].bootstrap[1]
        == -decided.backends["jax"].bootstrap[0]
        == float("inf")
    )
    assert decided.kind != Kind.SUPPORTED
    document, written = single(
        claim, replace(verdict, hypotheses={"exponent beats NTK": decided})
    )
    backends = written["hypotheses"][1]["verdict"]["backends"]
    assert backends["torch"]["bootstrap"] == [
        decided.backends["torch"].bootstrap[0],
        None,
    ]
    assert backends["jax"]["bootstrap"] == [None, decided.backends["jax"].bootstrap[1]]
    place = "/claims/0/hypotheses/1/verdict/backends"
    assert document["not_finite"] == {
        f"{place}/torch/bootstrap/1": "Infinity",
        f"{place}/jax/bootstrap/0": "-Infinity",
    }
    jsonschema.validate(document, schema, VALIDATOR)
    assert json.loads(report.as_text(document)) == document


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("nul \x00 bell \x07", "nul \ufffd bell \ufffd"),
        ("lone \udc80 surrogate", "lone \ufffd surrogate"),
        ("reversed \u202egnp.exe", "reversed \ufffdgnp.exe"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("σ_w² = 2, naïve", "σ_w² = 2, naïve"),
    ],
)
def test_text_keeps_only_what_can_be_shown(text, shown):
    assert plain({"reason": text}, {}) == {"reason": shown}


def test_numpy_scalars_become_plain_numbers():
    assert plain([np.float32(0.5), np.int64(3), np.bool_(True)], {}) == [0.5, 3, True]


def test_a_value_that_json_lacks_is_named():
    with pytest.raises(
        InvalidInput,
        match=r"The report cannot hold /torch/device: .* is a object\. Allowed: text,",
    ):
        plain({"torch": {"device": object()}}, {})


def test_power_is_that_of_the_registered_effect_with_the_planned_seeds(scaling):
    claim, verdict = scaling
    first = claim.hypotheses[0]
    _, written = single(claim, verdict, replicates=7)
    expected = power(first.rule, first.expected_effect, first.expected_sd, 7)
    assert written["hypotheses"][0]["registered"] == {
        "effect": 0.18,
        "sd": 0.08,
        "power": expected,
    }


def test_where_there_is_no_power_none_is_given(scaling):
    claim, verdict = scaling
    constant = replace(claim.hypotheses[0], expected_sd=0.0)
    _, written = single(
        replace(claim, hypotheses=(constant, *claim.hypotheses[1:])), verdict
    )
    assert written["hypotheses"][0]["registered"]["power"] is None
    _, written = single(claim, verdict, replicates=1)
    assert written["hypotheses"][1]["registered"]["power"] is None


@pytest.mark.parametrize(
    ("outcome", "planted_gap", "gp_target"),
    [
        (Kind.SUPPORTED, True, False),
        (Kind.REFUTED, False, True),
        (Kind.INCONCLUSIVE, False, True),
    ],
)
def test_a_control_passes_if_it_comes_out_as_it_must(
    scaling, outcome, planted_gap, gp_target
):
    claim, verdict = scaling
    controls = {
        name: replace(control, kind=outcome)
        for name, control in verdict.controls.items()
    }
    _, written = single(claim, replace(verdict, controls=controls))
    assert [control["passed"] for control in written["controls"]] == [
        planted_gap,
        gp_target,
    ]


def test_what_was_not_run_has_neither_passed_nor_failed(scaling):
    claim, verdict = scaling
    _, written = single(claim, replace(verdict, controls={}, hypotheses={}))
    assert {control["passed"] for control in written["controls"]} == {None}
    assert {hypothesis["verdict"] for hypothesis in written["hypotheses"]} == {None}


def test_an_entry_must_hold_its_own_verdict(scaling):
    claim, verdict = scaling
    with pytest.raises(
        InvalidInput,
        match=r"holds the verdict of claim 'other' at tier 'quick'\. Both must be the same",
    ):
        single(claim, replace(verdict, claim="other"))
    entry = report.Entry(Study(claim, (), effects=dict), verdict, "digest", 12)
    with pytest.raises(
        InvalidInput,
        match=r"at tier 'full' holds the verdict of claim .* at tier 'quick'",
    ):
        report.document([entry], "full", ["torch"], {})


def test_a_claim_comes_once(scaling):
    claim, verdict = scaling
    entry = report.Entry(Study(claim, (), effects=dict), verdict, "digest", 12)
    with pytest.raises(
        InvalidInput,
        match=r"twice: vyas2022/network-outscales-its-kernels\. Each claim has one",
    ):
        report.document([entry, entry], "quick", ["torch"], {})


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (
            (Series("a", (1.0,), (1.0,)), Series("a", (1.0,), (2.0,))),
            r"'Curves' of claim .* uses a label twice: \['a', 'a'\]",
        ),
        (
            (Series("a", (1.0, 2.0), (1.0,)),),
            r"Series 'a' of figure 'Curves' .* lengths \{'x': 2, 'y': 1\}",
        ),
        (
            (Series("a", ("wide", "narrow"), (1.0, 2.0)), Series("b", (1.0,), (2.0,))),
            r"has names on its x axis, so",
        ),
        (
            (Series("a", (1.0,), (1.0,), low=(0.5,)),),
            r"lengths \{'x': 1, 'y': 1, 'low': 1\}.*both low and high",
        ),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_named(scaling, series, message):
    claim, verdict = scaling
    with pytest.raises(InvalidInput, match=message):
        single(claim, verdict, figures=[figure(*series)])


def test_names_are_no_places_on_a_logarithmic_axis(scaling):
    claim, verdict = scaling
    curves = replace(figure(Series("a", ("wide", "narrow"), (1.0, 2.0))), log_x=True)
    with pytest.raises(
        InvalidInput,
        match=r"cannot be logarithmic; got log_x=True and x = \[\['wide', 'narrow'\]\]",
    ):
        single(claim, verdict, figures=[curves])


def test_a_figure_over_names_is_valid(scaling, schema):
    claim, verdict = scaling
    named = Series.of("a", ["wide", "narrow"], [[1.0, 2.0], [2.0, 3.0]])
    document, found = single(claim, verdict, figures=[figure(named)])
    jsonschema.validate(document, schema, VALIDATOR)
    assert found["figures"][0]["series"][0]["x"] == ["wide", "narrow"]

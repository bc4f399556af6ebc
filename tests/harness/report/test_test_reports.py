"""What pytest's JUnit XML says of a claim."""

import json

from harness.export import properties


def test_what_stands_beside_goes_with_the_claim(document):
    claims = {claim["verdict"]["kind"]: claim for claim in document["claims"]}
    assert properties(claims["REFUTED"])["beside"].startswith(
        "SUPPORTED kernels alike: −0.0"
    )
    assert "beside" not in properties(claims["SUPPORTED"])


def test_what_was_not_measured_has_no_property(document):
    missing = next(
        claim for claim in document["claims"] if claim["verdict"]["kind"] == "NOT_RUN"
    )
    told = properties(missing)
    assert (
        not {"p", "backends", "recorded", "exponent beats eNTK.jax.effect"}
        & told.keys()
    )
    assert told["exponent beats eNTK.rule"] == "Superiority"


def test_properties_say_what_decided(document):
    claim = document["claims"][0]
    told = properties(claim)
    estimate = claim["hypotheses"][0]["verdict"]["backends"]["jax"]
    assert (told["verdict"], told["tier"], told["scale"]) == (
        "SUPPORTED",
        "quick",
        "at quick scale",
    )
    assert (told["backends"], told["replicates"]) == ("jax,torch", "12")
    assert told["registration"] == claim["registration"]
    assert float(told["p"]) == claim["verdict"]["p"]
    assert float(told["exponent beats eNTK.margin"]) == 0.05
    assert float(told["exponent beats eNTK.jax.effect"]) == estimate["mean"]
    assert json.loads(told["exponent beats eNTK.jax.interval"]) == [
        estimate["low"],
        estimate["high"],
    ]

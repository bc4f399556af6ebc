"""Networks whose answer is known come out so, and the numbers are what they are said to be."""

import json

import numpy as np
import pytest

from harness import backends, cli, networks
from harness.errors import InvalidInput
from harness.regime import experiment, network, page, questions, study
from harness.regime.questions import QUESTIONS
from harness.regime.recipe import Recipe
from harness.regime.widths import scaling, trend
from harness.statistics.calibration import Rate, decisions
from harness.study import Superiority
from harness.verdict import Kind

pytest.importorskip("torch")


def kinds(result):
    """Letter -> answer, and the overall answer."""
    found = {answer.letter: answer.kind for answer in result.answers()}
    return found | {"all": result.document()["overall"]["kind"]}


def test_a_linear_model_is_in_exactly(workplace, computed):
    result = computed(
        spec="nets.py:linear", place="reg.npz", seeds=5, recipe=Recipe(steps=40)
    )
    assert kinds(result) == dict.fromkeys(
        ("a", "a'", "b", "c", "d", "all"), "SUPPORTED"
    )
    assert all(answer.mean < 1e-5 for answer in result.answers()[:4])
    scaled = result.controls()[-1]
    assert scaled.passed
    assert "linear in its weights" in scaled.sentence


def test_a_wide_network_is_in_and_a_narrow_one_out(workplace, computed):
    wide = computed(spec="nets.py:dense", place="reg.npz")
    assert kinds(wide)["all"] == "SUPPORTED"
    assert all(control.passed for control in wide.controls())
    narrow = computed(spec="nets.py:narrow", place="reg.npz")
    found = kinds(narrow)
    assert (found["a"], found["b"], found["all"]) == ("REFUTED",) * 3
    assert "Training moves the kernel" in narrow.answers()[2].sentence
    assert all(control.passed for control in narrow.controls())


def test_a_mean_field_network_is_out_by_training_alone(workplace, computed):
    found = kinds(computed(spec="nets.py:mup", place="reg.npz"))
    assert (found["a"], found["b"]) == ("SUPPORTED", "REFUTED")
    assert found["all"] == "REFUTED"


def test_a_deep_chaotic_network_is_out_by_its_scatter(workplace, computed):
    result = computed(
        spec="nets.py:chaotic",
        place="reg.npz",
        recipe=Recipe(steps=10),
        train=32,
        test=16,
    )
    assert kinds(result)["a"] == "REFUTED"
    assert kinds(result)["all"] == "REFUTED"


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(momentum=0.9, steps=60),
        Recipe(batch_size=16, steps=60),
        Recipe(optimizer="adam", rate=1e-3, steps=60),
    ],
    ids=["momentum", "batches", "adam"],
)
def test_however_it_is_trained_a_linear_network_is_its_own_kernel(workplace, recipe):
    """The linearised network takes the same steps: same batches, momentum and moments."""
    configuration = {
        **study.plan(study.Asked("nets.py:dense", "reg.npz", recipe=recipe)).control(
            "linearised"
        )
    }
    backend = backends.get("torch", "cpu", "float64")
    found = experiment.measure(backend, configuration, (0, 1), "test")
    assert found["distance"].max() < 1e-8
    assert found["change"].max() < 1e-8
    assert found["steps"].min() > 0


def test_cross_entropy_has_its_own_descent(workplace):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 10))
    np.savez("classes.npz", x=x, y=(x[:, 0] > 0).astype(int) + (x[:, 1] > 1))
    (workplace / "three.py").write_text(
        "from harness import networks\n"
        "def make():\n    return networks.mlp((10, 32, 3))\n"
    )
    recipe = Recipe(loss="cross-entropy", batch_size=8, steps=60)
    planned = study.plan(study.Asked("three.py", "classes.npz", recipe=recipe))
    backend = backends.get("torch", "cpu", "float64")
    cell = planned.control("linearised")
    found = experiment.measure(backend, cell, (0,), "test")
    assert found["distance"][0] < 1e-8
    assert 0 <= found["test_accuracy"][0] <= 1
    assert found["loss"][0] < np.log(3)


def test_the_spread_is_the_deviation_from_the_mean_kernel():
    net, x = networks.mlp((4, 64, 1)), np.random.default_rng(0).standard_normal((6, 4))
    backend = backends.get("torch", "cpu", "float64")
    kernels = backend.empirical_ntk(net, net.init(range(400)), x)
    mean = kernels.mean(axis=0)
    deviation = np.linalg.norm(kernels - mean, axis=(1, 2)) / np.linalg.norm(mean)
    pairs = [(net.init(2 * s), net.init(2 * s + 1)) for s in range(100)]
    spreads = [experiment.at_start(backend, net, pair, x)["spread"] for pair in pairs]
    rms = [np.sqrt(np.mean(np.square(values))) for values in (deviation, spreads)]
    assert rms[1] == pytest.approx(rms[0], rel=0.1)


def effects(mean, spread, seeds=10):
    """Effects whose geometric mean is exact."""
    steps = np.linspace(-1, 1, seeds)
    return {"torch": mean * np.exp(spread * steps)}


def test_the_interval_decides():
    asked = QUESTIONS[1]
    cases = {0.05: Kind.SUPPORTED, 0.1: Kind.INCONCLUSIVE, 0.3: Kind.REFUTED}
    for mean, kind in cases.items():
        answer = questions.departure(asked, effects(mean, 0.4), 0.1)
        assert answer.kind == kind
        assert answer.low < mean < answer.high
        assert answer.mean == pytest.approx(mean)
    assert answer.sentence.startswith("Training moves the kernel by 30 % [2")
    assert answer.sentence.endswith("(margin 10 %): out.")


def test_backends_that_measure_different_things_are_no_answer():
    both = effects(0.02, 0.1) | {"jax": effects(0.04, 0.1)["torch"]}
    answer = questions.departure(QUESTIONS[1], both, 0.1)
    assert answer.kind == Kind.DISAGREE
    assert questions.overall([answer])[0] == Kind.DISAGREE


def test_one_answer_out_is_out_and_one_open_is_open():
    three = [
        questions.departure(asked, effects(mean, 0.4), 0.1)
        for asked, mean in zip(QUESTIONS, (0.01, 0.02, 0.03), strict=True)
    ]
    kind, sentence = questions.overall(three)
    assert kind == Kind.SUPPORTED
    assert sentence.startswith("In the kernel regime; the largest departure: on test")
    open_ = questions.departure(QUESTIONS[1], effects(0.1, 0.4), 0.1)
    assert questions.overall([three[0], open_, three[2]])[0] == Kind.INCONCLUSIVE
    out = questions.departure(QUESTIONS[0], effects(0.5, 0.4), 0.1)
    kind, sentence = questions.overall([out, open_, three[2]])
    assert kind == Kind.REFUTED
    assert sentence.startswith("Not in the kernel regime: from one initialisation")
    assert questions.overall(three, trusted=False)[0] == Kind.BROKEN


def test_false_answers_at_the_margin_are_rare():
    """Of lognormal effects whose geometric mean is the margin itself, at most 5 % come out in, and
    at most 5 % out, with 10 seeds.
    """
    logs = 0.5 * np.random.default_rng(5).standard_normal((1, 2000, 10))
    found = decisions(-logs, Superiority(0.0), agreement=1.0, resamples=1000)
    assert Rate.of(found.supported).value <= 0.055
    assert Rate.of(found.refuted).value <= 0.055


def test_errors_are_compared_as_ratios():
    kernel = {"torch": np.full(10, 0.4)}
    network = {"torch": effects(0.2, 0.05)["torch"]}
    answer = questions.better(network, kernel, 0.1)
    assert answer.kind == Kind.REFUTED
    assert "is 0.500 [0.4" in answer.sentence
    assert answer.sentence.endswith("better than its kernel.")
    same = questions.better(kernel, kernel, 0.1)
    assert same.kind == Kind.SUPPORTED


def test_width_at_which_the_margin_is_reached():
    widths = [16, 64, 256]
    noise = 0.02 * np.random.default_rng(0).standard_normal((10, 3))
    curves = {"torch": 3.2 / np.sqrt(widths) * np.exp(noise)}
    found = trend(QUESTIONS[1], widths, curves, 0.1)
    assert found.slope[0] == pytest.approx(-0.5, abs=0.02)
    low, high = found.reach[1:]
    assert low < 1024 < high
    assert "10 % is reached at width 10" in found.sentence
    flat = {"torch": 0.3 * np.exp(noise)}
    assert "not within reach" in trend(QUESTIONS[1], widths, flat, 0.1).sentence
    below = {"torch": 0.001 * np.exp(noise)}
    assert (
        "below 10 % at every width from 16"
        in trend(QUESTIONS[1], widths, below, 0.1).sentence
    )


def test_exponents_of_the_test_loss():
    sizes = [10, 100, 1000]
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal((2, 10, 3)))
    steep, flat = (
        np.array(sizes) ** -b * own for b, own in zip((0.8, 0.5), noise, strict=True)
    )
    found = scaling(sizes, {"torch": steep}, {"torch": flat}, 0.1)
    assert found.kind == Kind.SUPPORTED
    assert "n^-0.8, its kernel's as n^-0.5" in found.sentence
    assert scaling(sizes, {"torch": flat}, {"torch": flat * noise[0]}, 0.1).kind == (
        Kind.REFUTED
    )


def test_a_control_that_fails_makes_the_answer_not_trusted(workplace, computed):
    result = computed(spec="nets.py:dense", place="reg.npz", seeds=5)
    cell = result.planned.control("linearised")
    for key, rows in result.measured.cells.items():
        if key[1] == study.canonical(cell):
            for number, row in enumerate(rows):
                rows[number] = row | {"distance": np.array([0.5 + 0.01 * number])}
    found = result.document()
    assert found["overall"]["kind"] == "BROKEN"
    assert found["overall"]["sentence"].startswith("Not trusted: a control failed")
    assert "failed" in page.render(found | RUN)


RUN = {
    "versions": {
        "ntk-claims": "1",
        "python": "3",
        "backends": {"torch": {"numpy": "2"}},
    },
    "cells": {"done": 1, "cached": 2, "seconds": 3.0},
}


def test_the_page_is_one_file_without_scripts(workplace, computed):
    result = computed(
        spec="nets.py:dense",
        place="reg.npz",
        seeds=5,
        widths=(8, 64),
        train_sizes=(16, 64),
    )
    found = result.document() | RUN
    shown = page.render(found)
    assert "<script" not in shown
    assert "http" not in shown.replace("http-equiv", "").replace(
        "http://www.w3.org", ""
    )
    for text in ("What this does not cover", "labels scaled up", "width^", "n^-"):
        assert text in shown
    assert str(workplace) not in shown
    assert shown.count("<figure") == 3
    json.dumps(found, allow_nan=True)


def test_a_name_cannot_put_markup_into_the_page(workplace, computed):
    result = computed(
        spec="nets.py:linear", place="reg.npz", seeds=5, recipe=Recipe(steps=40)
    )
    found = result.document() | RUN
    found["network"]["name"] = "<b>net</b>"
    shown = page.render(found)
    assert "<b>net" not in shown
    assert "&lt;b&gt;net" in shown


def test_training_that_diverges_says_so(workplace, computed):
    with pytest.raises(Exception, match="Training diverged for 5 of 5 seeds in torch"):
        computed(
            spec="nets.py:dense", place="reg.npz", seeds=5, recipe=Recipe(rate=1e3)
        )


def test_the_command_computes_once(workplace, capsys):
    call = ["regime", "nets.py:linear", "--data", "reg.npz", "--seeds", "5"]
    call += ["--samples", "16", "--test", "8", "--steps", "20", "--report", "page"]
    assert cli.main(call) == 0
    first = capsys.readouterr()
    assert "In the kernel regime" in first.out
    assert "is a network of harness.networks with 11 parameters" in first.out
    assert "15 of 15 done" in first.err
    assert (workplace / "page" / "regime.html").is_file()
    assert cli.main([*call, "--json"]) == 0
    again = capsys.readouterr()
    assert json.loads(again.out)["cells"]["cached"] == 15
    assert "15 of 15 done (15 cached)" in again.err


def test_the_command_refuses_with_its_code(workplace, capsys):
    assert cli.main(["regime", "none.py", "--data", "reg.npz"]) == 2
    assert "There is no Python file none.py" in capsys.readouterr().err


def test_training_that_has_nothing_to_do_says_so(workplace, computed):
    with pytest.raises(
        InvalidInput, match="before its first step: the initial loss is"
    ):
        computed(
            spec="nets.py:dense",
            place="reg.npz",
            seeds=5,
            recipe=Recipe(target_loss=100.0),
        )


def test_a_module_beside_the_file_counts_to_its_sources(workplace):
    (workplace / "blocks.py").write_text("SIZE = 8\n")
    (workplace / "net.py").write_text(
        "from blocks import SIZE\nfrom harness import networks\n\n\n"
        "def make():\n    return networks.mlp((10, SIZE, 1))\n"
    )
    before = network.maker("net.py").sources
    assert network.maker("net.py").sources == before
    (workplace / "blocks.py").write_text("SIZE = 16\n")
    assert network.maker("net.py").sources != before


def test_a_file_that_changes_meanwhile_is_noticed(workplace):
    cell = study.plan(study.Asked("nets.py:linear", "reg.npz")).configuration()
    with (workplace / "nets.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(InvalidInput, match="changed while it was measured"):
        experiment.measure(backends.get("torch", "cpu"), cell, (0,), "test")


def test_a_pair_of_jax(workplace):
    pytest.importorskip("jax")
    (workplace / "pair.py").write_text(
        "import jax\n\n\n"
        "def make(width=64):\n"
        "    def init(key):\n"
        "        return jax.random.normal(key, (10, width))\n\n"
        "    def apply(params, x):\n"
        "        return (x @ params).mean(axis=1, keepdims=True)\n\n"
        "    return init, apply\n"
    )
    planned = study.plan(study.Asked("pair.py", "reg.npz"))
    assert planned.backends == ("jax",)
    found = experiment.measure(
        backends.get("jax", "cpu", "float64"),
        planned.control("linearised"),
        (0,),
        "test",
    )
    assert found["distance"][0] < 1e-8

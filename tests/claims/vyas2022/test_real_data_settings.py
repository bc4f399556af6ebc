"""Settings and arms of the full tiers on data sets that have to be fetched: with these, without,
and at quick scale.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from claims.vyas2022 import evolving
from claims.vyas2022.recipes import REAL
from harness import studies
from harness.experiment import Absent, Measurements, Request, reference

FOLDER = Path(__file__).parents[3] / "claims" / "vyas2022"
SEEDS = 5
REASON = "It is not there."
IMAGES = {arm.name: arm for arm in evolving.IMAGES}


def measurements(study, tier, plant, lacking=()):
    """Of a claim's tier, with planted arrays; without the cells whose images are of a set that is
    lacking.
    """
    cells, absent = [], []
    for experiment in study.experiments:
        for c in experiment.tier(tier).grid:
            if c["task"].get("dataset") in lacking:
                absent.append((c, REASON))
            else:
                named = (
                    reference(experiment.measure),
                    c,
                    tuple(range(SEEDS)),
                    experiment.stream,
                    "numpy",
                    experiment.dtype,
                )
                cells.append((Request(*named), plant(c)))
    return Measurements(cells, absent)


def dataset(c):
    return c["task"].get("dataset", "")


def of_cifar10(study, key):
    """The configurations on CIFAR-10 that have a key."""
    return [
        c
        for e in study.experiments
        for c in e.full.grid
        if dataset(c) == "cifar10" and key in c
    ]


class OfClaim:
    """A claim's study, and `plant`, which gives the arrays of a cell by its configuration."""

    def named(self, tier):
        return {
            part.name
            for part in (
                *self.study.claim.at(tier).hypotheses,
                *self.study.claim.controls,
            )
        }

    def effects(self, tier):
        """On planted arrays; they must be those that the claim names."""
        found = self.study.effects(measurements(self.study, tier, self.plant))
        assert found.keys() == self.named(tier)
        return found

    def without(self, lacking):
        """What is measured where these sets are lacking, and the effects that are absent then; each
        says why.
        """
        m = measurements(self.study, "full", self.plant, lacking)
        found = self.study.effects(m)
        assert found.keys() == self.named("full")
        absent = {name for name, effect in found.items() if isinstance(effect, Absent)}
        assert all(found[name].reason == REASON for name in absent)
        assert not any(self.study.gates(m).values())
        return m, absent


class TestOutscales(OfClaim):
    study = studies.load(FOLDER / "test_network_outscales_its_kernels.py")

    @staticmethod
    def plant(c):
        """Errors that fall as n^-b: networks by 0.5, kernels by 0.2, on MNIST by 0.4; seeds a
        little apart.
        """
        n, scatter = (
            np.array(c["sizes"], dtype=float),
            np.linspace(0.99, 1.01, SEEDS)[:, None],
        )
        if "kernel" in c:
            loss = scatter * n ** -(0.4 if dataset(c) == "mnist" else 0.2)
            return {"kernel_loss": loss, "kernel_error": loss}
        lazy = c["net"]["label_scale"] < 1
        loss = np.ones((SEEDS, 1)) * n ** -(0.2 if lazy else 0.5)
        return {
            "network_loss": loss,
            "network_error": loss,
            "train_loss": 0 * loss,
            "gain": 0 * loss,
        }

    @pytest.mark.parametrize("tier", ["quick", "full"])
    def test_effects_are_those_of_the_tier(self, tier):
        found = self.effects(tier)
        assert {name for name in REAL if f"gap_at_full_scale[{name}]" in found} == (
            set(REAL) if tier == "full" else set()
        )
        assert found["gap[pairs-infinite-width-rate]"] == pytest.approx(0.3)

    def test_a_setting_is_measured_by_its_own_cells(self):
        found = self.effects("full")
        gaps = {name: found[f"gap_at_full_scale[{name}]"] for name in REAL}
        assert gaps["mnist"] == pytest.approx(0.1)
        assert all(
            gap == pytest.approx(0.3) for name, gap in gaps.items() if name != "mnist"
        )

    @pytest.mark.parametrize("lacking", [("mnist",), tuple(REAL)], ids=len)
    def test_what_is_lacking_is_absent_and_the_rest_is_decided_and_drawn(self, lacking):
        m, absent = self.without(lacking)
        assert absent == {f"gap_at_full_scale[{name}]" for name in lacking}
        *_, others = self.study.figures({"numpy": m})
        assert others.title == "Other settings"
        labels = " ".join(series.label for series in others.series)
        assert "left image of a pair" in labels
        for name, images in REAL.items():
            assert (f"{images.label}, CNN" in labels) == (name not in lacking)

    def test_no_gate_of_the_claim_depends_on_which_sets_are_at_hand_and_what_is_untrained_is_told(
        self,
    ):
        def untrained_cifar(c):
            arrays = self.plant(c)
            return {
                name: a + 1 if dataset(c) == "cifar10" else a
                for name, a in arrays.items()
            }

        m = measurements(self.study, "full", untrained_cifar)
        assert not self.study.gates(m)["trained"]
        assert "CIFAR-10, CNN" in self.study.figures({"numpy": m})[-1].description
        assert "SVHN, CNN" not in self.study.figures({"numpy": m})[-1].description

    def test_kernels_reach_as_far_as_networks(self):
        largest = {"network_curves": 0, "kernel_curves": 0}
        for experiment in self.study.experiments:
            sizes = [n for c in experiment.full.grid for n in c["sizes"]]
            largest[experiment.measure.__name__] = max(
                largest[experiment.measure.__name__], *sizes
            )
        assert largest == {"network_curves": 32_768, "kernel_curves": 32_768}


class OnCifar(OfClaim):
    """Of three claims: CIFAR-10 in the full tier.

    Error rates are n^-0.5 of networks, n^-0.3 of its kernels.
    """

    @staticmethod
    def plant(c):
        n, scatter = (
            np.array(c["sizes"], dtype=float),
            np.linspace(0.99, 1.01, SEEDS)[:, None],
        )
        curve, of_kernel = (
            scatter * n**-0.5,
            scatter * n ** -(0.3 if dataset(c) == "cifar10" else 0.2),
        )
        if "kernel" in c:
            return {"kernel_loss": of_kernel**2, "kernel_error": of_kernel}
        if c["net"]["label_scale"] == 0.1:  # lazy: regression with the kernel
            curve = of_kernel
        arrays = {
            "network_error": curve,
            "network_loss": curve**2,
            "train_loss": 0 * curve,
            "gain": 0 * curve,
        }
        after = (
            np.stack([of_kernel for _ in c["after"]], axis=1) if c["after"] else None
        )
        return (
            arrays
            if after is None
            else arrays | {"after_error": after, "after_loss": after**2}
        )

    @pytest.mark.parametrize("tier", ["quick", "full"])
    def test_effects_are_those_of_the_tier(self, tier):
        found = self.effects(tier)
        assert {name for name in found if "cifar10" in name} == (
            set(self.expected) if tier == "full" else set()
        )

    def test_a_gap_is_measured_by_the_cells_on_its_images(self):
        found = self.effects("full")
        for name, value in self.expected.items():
            assert found[name] == pytest.approx(value), name

    def test_without_the_set_its_gaps_are_absent_and_the_rest_is_decided_and_drawn(
        self,
    ):
        m, absent = self.without(("cifar10",))
        assert absent == set(self.expected)
        whole = measurements(self.study, "full", self.plant)
        drawn = self.study.figures({"numpy": whole})
        assert [figure.title for figure in drawn] == [
            *(figure.title for figure in self.study.figures({"numpy": m})),
            "Learning curves on CIFAR-10",
        ]
        assert drawn[-1].description.endswith("its mean and interval.")
        assert sorted(
            {line.label.rsplit("(")[-1].split()[0] for line in drawn[-1].series}
        ) == ["0.30", "0.50"]

    def test_no_gate_depends_on_the_set_and_what_is_untrained_there_is_told(self):
        def untrained(c):
            arrays = self.plant(c)
            return {
                name: a + 1
                if dataset(c) == "cifar10" and name in ("gain", "train_loss")
                else a
                for name, a in arrays.items()
            }

        m = measurements(self.study, "full", untrained)
        assert not any(self.study.gates(m).values())
        said = self.study.figures({"numpy": m})[-1].description.split(
            "its mean and interval."
        )[1]
        assert "5 of 5 networks are not trained" in said


class TestHyperparameters(OnCifar):
    study = studies.load(FOLDER / "test_gap_survives_hyperparameters.py")
    expected = dict.fromkeys(
        [f"gap_on_cifar10[{name}]" for name in ("rate_low", "base", "momentum")], 0.2
    )

    def test_two_rates_and_two_optimisers(self):
        cells = of_cifar10(self.study, "optimizer")
        assert [(c["optimizer"], c["rate"]) for c in cells] == [
            ("adam", 0.01),
            ("adam", 0.003),
            ("momentum", 0.1),
        ]


class TestWidth(OnCifar):
    study = studies.load(FOLDER / "test_gap_across_width.py")
    expected = dict.fromkeys(
        [f"gap_on_cifar10[{place}]" for place in ("narrow", "middle", "wide")], 0.2
    )


class TestAfterKernel(OnCifar):
    study = studies.load(FOLDER / "test_constant_sample_after_kernel_lags.py")
    expected: ClassVar = {"outscales_on_cifar10": 0.2}

    def test_the_kernel_is_pretrained_on_the_least_of_its_sizes(self):
        (cell,) = of_cifar10(self.study, "optimizer")
        assert cell["after"] == [2048] == [min(cell["sizes"])]


class TestKeepsEvolving(OfClaim):
    study = studies.load(FOLDER / "test_kernel_keeps_evolving.py")

    @staticmethod
    def plant(c):
        """A kernel that turns one radian, and whose error falls as t^-0.4: on SVHN it rests, as
        good throughout.
        """
        t, rests = np.array(c["checkpoints"]) / c["steps"], c["arm"] == "svhn"
        turned = (
            np.where(np.eye(len(t)), 1.0, 0.5)
            if "strangers" in c["arm"]
            else np.cos(abs(t[:, None] - t))
        )
        seeds = np.linspace(0.99, 1.01, SEEDS)[:, None]
        error = seeds * (
            0.2 * np.ones(len(t)) if rests else 0.1 * np.maximum(t, 0.01) ** -0.4
        )
        cka = np.ones((SEEDS, len(t), len(t))) * (
            np.where(np.eye(len(t)), 1.0, 0.9) if rests else turned
        )
        return {
            "cka": cka,
            "error": error,
            "network_error": error,
            "train_error": 0 * error[:, 0],
        }

    @pytest.mark.parametrize("tier", ["quick", "full"])
    def test_effects_are_those_of_the_tier(self, tier):
        found = self.effects(tier)
        moved = {name for name in IMAGES if f"moves_on_images[{name}]" in found}
        assert moved == (set(IMAGES) if tier == "full" else set())

    def test_an_arm_is_measured_by_its_own_cells(self):
        found = self.effects("full")
        moved = (np.cos(0.2) - np.cos(0.8)) / 0.5
        for name in IMAGES:
            assert found[f"moves_on_images[{name}]"] == pytest.approx(
                0 if name == "svhn" else moved, abs=1e-9
            )
            assert found[f"improves_on_images[{name}]"] == pytest.approx(
                0 if name == "svhn" else 0.4, abs=1e-9
            )

    @pytest.mark.parametrize("lacking", [("cifar5m",), tuple(IMAGES)], ids=len)
    def test_what_is_lacking_is_absent_and_the_rest_is_decided_and_drawn(self, lacking):
        m, absent = self.without(lacking)
        assert absent == {
            f"{what}_on_images[{name}]"
            for name in lacking
            for what in ("moves", "improves")
        }
        figures = self.study.figures({"numpy": m})
        lines = {
            series.label
            for figure in figures
            if "on images" in figure.title
            for series in figure.series
        }
        drawn = {
            name
            for name, arm in IMAGES.items()
            if any(str(arm) in label for label in lines)
        }
        assert drawn == set(IMAGES) - set(lacking)

    def test_one_pass_sees_no_image_twice(self):
        (cell,) = (
            c
            for e in self.study.experiments
            for c in e.full.grid
            if c["arm"] == "cifar5m"
        )
        fresh = cell["steps"] * cell["batch_size"]
        assert cell["regime"] == "one-pass"
        assert (
            cell["task"]["options"]["n"]
            == fresh + cell["size"] + cell["validation"] + cell["test"]
        )

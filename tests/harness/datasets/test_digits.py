import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import datasets
from harness.datasets import digits
from harness.errors import DatasetCorrupted, DatasetUnavailable

FIXTURES = Path(__file__).parents[3] / "fixtures" / "digits"


def test_embedded_file_has_the_checksum_that_stands_beside_it():
    sums = dict(
        reversed(line.split())
        for line in (FIXTURES / "SHA256SUMS").read_text().splitlines()
    )
    assert sums == {digits.FILE.name: digits.FILE.sha256}


def test_embedded_arrays():
    """Images lie row by row: a zero has no ink in its middle, and a one has most of it there."""
    data = datasets.load("digits")
    assert (data.x.shape, data.x.dtype, data.labels.dtype) == (
        (1797, 8, 8),
        "float32",
        "int64",
    )
    assert (data.classes, data.source, len(data)) == (10, "embedded", 1797)
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert np.bincount(data.labels).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]
    zero, one = (data.x[data.labels == digit].mean(axis=0) for digit in (0, 1))
    assert zero[3:5, 3:5].max() < 0.15 < 0.5 < one[2:6, 3:5].min()
    assert hashlib.sha256(data.x.tobytes()).hexdigest()[:16] == "9f578524b6cec1fc"


def test_embedded_arrays_are_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    ours = datasets.load("digits")
    np.testing.assert_array_equal(ours.x * 16, theirs.images)
    np.testing.assert_array_equal(ours.labels, theirs.target)


def test_missing_and_wrong_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "embedded", lambda dataset: tmp_path)
    with pytest.raises(
        DatasetUnavailable, match=r"digits\.csv cannot be read: No such file"
    ):
        digits.load()
    shutil.copy(FIXTURES / "digits.csv.xz", tmp_path)
    assert len(digits.load()) == 1797
    (tmp_path / "digits.csv").write_text("0,1\n")
    with pytest.raises(
        DatasetCorrupted,
        match=r"digits\.csv is not the published file .*6ebb3d2f.*; found: ",
    ):
        digits.load()

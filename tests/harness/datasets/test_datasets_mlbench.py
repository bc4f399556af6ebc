"""Shuttle and Letters: the reader on tiny tables in R's format, and the real ones where the Debian
package is.
"""

import bz2
import gzip
import hashlib
import lzma
import re
import sys
from dataclasses import replace

import numpy as np
import pooch
import pytest

from claims.wenger2023 import bandit_problems
from harness import datasets
from harness.datasets import _files, _mlbench, _places, letter, shuttle
from harness.errors import DatasetCorrupted, DatasetUnavailable

REAL = _mlbench.SYSTEM
X, LABELS = np.arange(8, dtype=np.float32).reshape(4, 2), np.array([1, 0, 2, 1])
TINY = replace(
    shuttle.TABLE, sha256=hashlib.sha256(X.tobytes() + LABELS.tobytes()).hexdigest()
)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No file of this machine is seen."""
    monkeypatch.delenv("NTK_CLAIMS_DATA", raising=False)
    monkeypatch.setattr(_mlbench, "SYSTEM", tmp_path / "system")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache")


def write(folder, frame="Shuttle", label="Class", x=X):
    """A data frame in R's format: variables in front of the factor, its levels not in the order of
    the alphabet.
    """
    rdata, pandas = pytest.importorskip("rdata"), pytest.importorskip("pandas")
    levels = pandas.Categorical.from_codes(LABELS, ["Rad.Flow", "High", "Bypass"])
    folder.mkdir(parents=True, exist_ok=True)
    columns = {f"V{n}": column.astype(float) for n, column in enumerate(x.T)}
    rdata.write_rda(
        folder / "Shuttle.rda", {frame: pandas.DataFrame({**columns, label: levels})}
    )
    return folder


def test_a_table_is_read_with_classes_in_the_order_of_the_levels(tmp_path):
    data = _mlbench.load_table(TINY, write(tmp_path))
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.labels, LABELS)
    assert (data.x.dtype, data.labels.dtype, data.classes) == ("float32", "int64", 3)
    assert (data.name, data.source, data.sha256) == (
        "shuttle",
        "folder argument",
        TINY.sha256,
    )


def test_the_library_of_r_is_where_the_debian_package_puts_it(tmp_path, monkeypatch):
    assert _places.source(shuttle.published("all")) == ""
    write(tmp_path / "system")
    assert _places.source(shuttle.published("all")) == "system package"
    assert _mlbench.load_table(TINY).source == "system package"


def test_another_table_is_told_by_what_it_holds(tmp_path):
    with pytest.raises(
        DatasetCorrupted,
        match=r"Shuttle\.rda does not hold the table Shuttle of mlbench\. Expected",
    ):
        _mlbench.load_table(TINY, write(tmp_path, x=X + 1))
    with pytest.raises(
        DatasetCorrupted,
        match=r"found: [0-9a-f]{64} of 4 rows and 2 variables\. Replace it by the",
    ):
        datasets.load("shuttle", folder=tmp_path)


@pytest.mark.parametrize(
    ("names", "error"),
    [(("Space", "Class"), "KeyError: 'Shuttle'"), (("Shuttle", "K"), "Key")],
)
def test_files_without_the_frame_or_the_factor_are_named(tmp_path, names, error):
    with pytest.raises(
        DatasetCorrupted,
        match=f"does not hold the data frame Shuttle with a factor Class: {error}",
    ):
        _mlbench.load_table(TINY, write(tmp_path, *names))


def test_what_is_no_file_of_r_is_named(tmp_path):
    pytest.importorskip("rdata")
    (tmp_path / "Shuttle.rda").write_bytes(b"no R")
    with pytest.raises(
        DatasetCorrupted,
        match=r"^Shuttle\.rda does not hold the data frame .* Get it again\.$",
    ):
        datasets.load("shuttle", folder=tmp_path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_compressed_without_end_or_twice_is_not_decompressed(
    tmp_path, monkeypatch, compress
):
    pytest.importorskip("rdata")
    monkeypatch.setattr("harness.datasets._files.LARGEST", 1000)
    for content, said in (
        (compress(bytes(1001)), "it holds more than 1000 bytes"),
        (compress(compress(b"")), "save"),
    ):
        (tmp_path / "Shuttle.rda").write_bytes(content)
        with pytest.raises(
            DatasetCorrupted,
            match=f"does not hold the data frame Shuttle .*ValueError: .*{said}",
        ):
            datasets.load("shuttle", folder=tmp_path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_table_may_be_compressed_in_each_way_of_r(tmp_path, compress):
    file = write(tmp_path) / "Shuttle.rda"
    file.write_bytes(compress(_files.unpacked(file.read_bytes())))
    np.testing.assert_array_equal(_mlbench.load_table(TINY, tmp_path).x, X)


def test_without_rdata_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdata", None)
    (tmp_path / "LetterRecognition.rda").write_bytes(b"")
    message = (
        "LetterRecognition.rda is read with rdata, which is missing: "
        "pip install ntk-claims[mlbench]."
    )
    with pytest.raises(DatasetUnavailable, match=re.escape(message)):
        datasets.load("letter", folder=tmp_path)


@pytest.mark.parametrize("name", ["shuttle", "letter"])
def test_a_table_that_is_nowhere_says_how_to_get_it(name):
    with pytest.raises(
        DatasetUnavailable,
        match=f"(?s)'{name}', part 'all', was not found.*package r-cran-mlbench",
    ):
        bandit_problems.draw(name, 10, 0, "test")


@pytest.mark.parametrize(
    ("module", "shape", "counts"),
    [
        (shuttle, (58_000, 9), [45_586, 50, 171, 8_903, 3_267, 10, 13]),
        (
            letter,
            (20_000, 16),
            [
                789,
                766,
                736,
                805,
                768,
                775,
                773,
                734,
                755,
                747,
                739,
                761,
                792,
                783,
                753,
                803,
                783,
            ],
        ),
    ],
)
def test_the_real_tables(module, shape, counts, monkeypatch):
    """Counts of the classes, of letters those of A to Q; skipped where the package is not."""
    pytest.importorskip("rdata")
    monkeypatch.setattr(_mlbench, "SYSTEM", REAL)
    try:
        data = module.load()
    except DatasetUnavailable as error:
        pytest.skip(str(error))
    assert (data.x.shape, data.classes) == (shape, len(np.unique(data.labels)))
    np.testing.assert_array_equal(np.bincount(data.labels)[: len(counts)], counts)

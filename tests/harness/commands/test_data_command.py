"""`ntk-claims data` and `pytest claims --download`: what is listed, and that nothing else is
downloaded.
"""

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests

from harness import cli, datasets
from harness.commands.data import fetch_for
from harness.datasets import mnist
from harness.experiment import Request

PAYLOADS = [
    bytes([0, 0, 8, array.ndim])
    + np.array(array.shape, dtype=">u4").tobytes()
    + array.tobytes()
    for array in (
        np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8),
        np.array([7, 9], dtype=np.uint8),
    )
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache, inside tmp_path, not there yet; no network; and an upstream of MNIST with two
    images.
    """

    def explode(*args, **kwargs):
        raise AssertionError("the network was used, and nobody had asked for it")

    monkeypatch.delenv("NTK_CLAIMS_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(requests.Session, "send", explode)
    wanted = mnist.published("train")
    files = [
        replace(file, sha256=hashlib.sha256(payload).hexdigest())
        for file, payload in zip(wanted.files, PAYLOADS, strict=True)
    ]
    published = mnist.published
    monkeypatch.setattr(
        mnist,
        "published",
        lambda part: (
            replace(wanted, files=tuple(files)) if part == "train" else published(part)
        ),
    )
    return tmp_path / "cache" / "ntk-claims"


@pytest.fixture
def upstream(monkeypatch):
    """What was asked for, from an upstream that has MNIST and nothing else."""
    asked = []

    def fetch(self, url, target, _):
        asked.append(url)
        if "cvdf-datasets/mnist" not in url:
            raise OSError("no such host")
        Path(target).write_bytes(gzip.compress(PAYLOADS["labels" in url]))

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fetch)
    return asked


def row(text, name, part):
    return next(line for line in text.splitlines() if line.split()[:2] == [name, part])


def test_every_set_is_listed_with_its_place_and_how_to_get_it(capsys):
    assert cli.main(["data"]) == 0
    listed = capsys.readouterr().out
    assert {line.split()[0] for line in listed.splitlines()[1:]} == set(
        datasets.names()
    )
    assert row(listed, "svhn", "extra").endswith(
        "nowhere: ntk-claims data fetch svhn --part extra"
    )
    assert "1,330 MB  non-commercial use only" in row(listed, "svhn", "extra")
    assert row(listed, "fashion-mnist", "t10k").endswith(
        "MIT                      embedded"
    )
    assert next(
        line for line in listed.splitlines() if line.startswith("digits-1d")
    ).endswith("this project")


def test_a_set_that_is_fetched_is_verified_and_found_from_then_on(
    capsys, cache, upstream
):
    assert cli.main(["data", "fetch", "mnist", "--part", "train"]) == 0
    assert capsys.readouterr().out == "mnist, part train: download\n"
    assert cli.main(["data", "fetch", "mnist", "--part", "train"]) == 0
    assert capsys.readouterr().out == "mnist, part train: cache\n"
    assert [url.rpartition("/")[2] for url in upstream] == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert datasets.load("mnist", part="train").labels.tolist() == [7, 9]
    assert cli.main(["data", "list"]) == 0
    assert row(capsys.readouterr().out, "mnist", "train").endswith(
        "none stated              cache"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["fetch"],
            "Name a data set: ntk-claims data fetch NAME. To download: cifar10, cifar5m, "
            "fashion-mnist, letter, mnist,",
        ),
        (["fetch", "iris"], "Unknown data set 'iris'. Known: cifar10"),
        (
            ["fetch", "diabetes"],
            "Data set 'diabetes' comes with this project. To download: cifar10",
        ),
        (
            ["fetch", "svhn"],
            "'svhn' has several downloads; choose one with --part: train (182 MB), test (64 MB), "
            "extra",
        ),
        (
            ["fetch", "svhn", "--part", "all"],
            "'svhn' has no part 'all' to download. Parts: train, test, extra.",
        ),
        (["list", "svhn"], "`ntk-claims data list` takes no data set and no part"),
        (
            ["fetch", "cifar10"],
            "Data set 'cifar10', part 'train', was not found. To download it: ntk-claims data "
            "fetch",
        ),
    ],
)
def test_a_wrong_call_is_named(capsys, upstream, arguments, message):
    assert cli.main(["data", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_what_cells_need_is_downloaded_once_and_what_cannot_be_is_told(upstream):
    def cell(**task):
        return Request(
            "m:f",
            {"task": {"name": "images", **task}},
            (0,),
            "registered",
            "torch",
            "float32",
        )

    of_mnist, of_svhn = (
        cell(dataset="mnist", options={"part": "train"}),
        cell(dataset="svhn", options={"part": "test"}),
    )
    embedded = cell(dataset="fashion-mnist", options={})
    told = []
    fetch_for(
        [
            of_mnist,
            of_mnist,
            embedded,
            of_svhn,
            replace(of_mnist, configuration={"width": 8}),
        ],
        told.append,
    )
    assert told[0] == "mnist, part train: download\n"
    assert told[1].startswith("Data set 'svhn', part 'test', was not found.")
    assert "no such host" in told[1]
    assert (len(told), len(upstream)) == (2, 3)

"""MNIST, CIFAR-10 and SVHN: their readers on tiny files in upstream's formats, and what they say to
other files.
"""

import gzip
import hashlib
import io
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests
import scipy.io

from harness import datasets
from harness.datasets import cifar10, mnist, svhn
from harness.errors import DatasetCorrupted, DatasetUnavailable, InvalidInput

IMAGES = 2  # in a tiny file
PIXELS = (
    np.random.default_rng(0).integers(0, 256, (3 * IMAGES, 32, 32, 3)).astype(np.uint8)
)
LABELS = np.array([0, 9, 3, 3, 1, 7], dtype=np.uint8)
BATCHES = ("first.bin", "second.bin", "third.bin")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache, inside tmp_path, not there yet; and no network."""

    def explode(*args, **kwargs):
        raise AssertionError("the network was used, and nobody had asked for it")

    monkeypatch.delenv("NTK_CLAIMS_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(requests.Session, "send", explode)
    return tmp_path / "cache" / "ntk-claims"


def published(template, content: bytes):
    """The one wanted file of a data set, with the SHA-256 of this content."""
    (file,) = template.files
    return replace(
        template, files=(replace(file, sha256=hashlib.sha256(content).hexdigest()),)
    )


def put(folder: Path, wanted, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / wanted.files[0].name).write_bytes(content)
    return folder


# CIFAR-10


def batch(pixels=PIXELS, labels=LABELS) -> bytes:
    """Of each image: the label, then the red, the green and the blue pixels."""
    return b"".join(
        bytes([label]) + image[:, :, channel].tobytes()
        if channel == 0
        else image[:, :, channel].tobytes()
        for image, label in zip(pixels, labels, strict=True)
        for channel in range(3)
    )


def archive(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


THREE = {
    name: batch(PIXELS[rows], LABELS[rows])
    for name, rows in zip(BATCHES, (slice(0, 2), slice(2, 4), slice(4, 6)), strict=True)
}


def read_cifar10(folder: Path, content: bytes, batches=BATCHES):
    wanted = published(cifar10.published("train"), content)
    return cifar10.assemble(wanted, batches, IMAGES, put(folder, wanted, content))


def test_cifar10_batches_are_joined_in_order_channels_last(tmp_path):
    content = archive(dict(reversed(THREE.items())))
    data = read_cifar10(tmp_path, content)
    np.testing.assert_array_equal(data.x, PIXELS / np.float32(255))
    np.testing.assert_array_equal(data.labels, LABELS)
    assert (data.x.dtype, data.labels.dtype, data.x.flags.c_contiguous) == (
        np.float32,
        np.int64,
        True,
    )
    assert (data.name, data.classes, data.source) == ("cifar10", 10, "folder argument")
    assert data.sha256 == hashlib.sha256(content).hexdigest()


def test_cifar10_parts_are_the_batches_that_upstream_named(tmp_path, monkeypatch):
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    labels = np.arange(12).reshape(6, IMAGES) % 10
    content = archive(
        {
            f"cifar-10-batches-bin/{name}": batch(PIXELS[:2], labels[i])
            for i, name in enumerate(names)
        }
    )
    wanted = published(cifar10.published("train"), content)
    monkeypatch.setattr(cifar10, "published", lambda part: replace(wanted, part=part))
    monkeypatch.setattr(cifar10, "IMAGES", IMAGES)
    put(tmp_path, wanted, content)
    assert (
        datasets.load("cifar10", folder=tmp_path).labels.tolist()
        == labels[:5].ravel().tolist()
    )
    assert (
        datasets.load("cifar10", folder=tmp_path, part="test").labels.tolist()
        == labels[5].tolist()
    )


def test_cifar10_reads_members_by_name_and_writes_nothing(tmp_path):
    inside = tmp_path / "inside"
    read_cifar10(
        inside, archive({"../escaped.bin": b"evil", "/escaped.bin": b"evil", **THREE})
    )
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "cifar-10-binary.tar.gz",
        "inside",
    ]
    assert not Path("/escaped.bin").exists()


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = (
        tarfile.SYMTYPE,
        target,
        len(THREE[name]),
    )
    return member


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "has no member first.bin"),
        ({"../first.bin": THREE["first.bin"]}, "has no member first.bin"),
        (
            {"first.bin": THREE["first.bin"][:-1]},
            "expected a file of 6146 bytes as member first.bin; found 6145 bytes",
        ),
        (
            {**THREE, "first.bin": link("first.bin", "second.bin")},
            "6146 bytes as member first.bin; found no file",
        ),
        (
            {**THREE, "third.bin": batch(PIXELS[:2], [9, 10])},
            "expected labels from 0 to 9; found 0 to 10",
        ),
    ],
)
def test_other_archives_than_cifar10s_are_corrupted(tmp_path, members, message):
    with pytest.raises(
        DatasetCorrupted, match=rf"^cifar-10-binary\.tar\.gz.*{message}"
    ):
        read_cifar10(tmp_path, archive(members))


def test_damaged_cifar10_archives_are_corrupted(tmp_path):
    whole = archive(THREE)
    for damaged in (
        b"",
        b"no archive",
        whole[:9],
        whole[: len(whole) // 2],
        gzip.compress(b"no archive"),
    ):
        with pytest.raises(
            DatasetCorrupted,
            match=r"cifar-10-binary\.tar\.gz (is a damaged archive: .+|has no member)",
        ):
            read_cifar10(tmp_path, damaged)


def test_a_bomb_of_an_archive_is_not_decompressed(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.datasets._files.LARGEST", 2**20)
    with pytest.raises(
        DatasetCorrupted,
        match=r"gz is a damaged archive: it holds more than 1048576 bytes\. Get",
    ):
        read_cifar10(tmp_path, gzip.compress(bytes(2**21)))


def test_an_archive_of_nothing_but_long_names_is_corrupted(tmp_path):
    name = tarfile.TarInfo("long")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 4
    content = gzip.compress((name.tobuf(tarfile.GNU_FORMAT) + bytes(512)) * 5000)
    with pytest.raises(DatasetCorrupted, match=r"is a damaged archive: .*recursion"):
        read_cifar10(tmp_path, content)


# SVHN


def mat(**variables) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=True)
    return stream.getvalue()


X, Y = (
    np.moveaxis(PIXELS, 0, 3),
    np.where(LABELS == 0, 10, LABELS)[:, None].astype(np.uint8),
)


def read_svhn(folder: Path, content: bytes):
    wanted = published(svhn.published("train"), content)
    return svhn.assemble(wanted, 3 * IMAGES, put(folder, wanted, content))


def test_svhn_images_come_first_and_ten_means_zero(tmp_path):
    content = mat(X=X, y=Y)
    data = read_svhn(tmp_path, content)
    np.testing.assert_array_equal(data.x, PIXELS / np.float32(255))
    np.testing.assert_array_equal(data.labels, LABELS)
    assert (data.x.dtype, data.labels.dtype, data.x.flags.c_contiguous) == (
        np.float32,
        np.int64,
        True,
    )
    assert (data.name, data.classes, data.source) == ("svhn", 10, "folder argument")
    assert data.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"X": X}, "has no array y with 2 axes"),
        ({"X": X[0], "y": Y}, "has no array X with 4 axes"),
        ({"X": {"a": 1}, "y": Y}, "has no array X with 4 axes"),
        (
            {"X": X[..., 1:], "y": Y},
            r"expected pixels of shape \(6, 32, 32, 3\), uint8; found shape \(5, 32, 32, 3\), u",
        ),
        (
            {"X": X.astype(float), "y": Y},
            r"expected pixels of .*; found shape \(6, 32, 32, 3\), float64",
        ),
        (
            {"X": X, "y": Y[1:]},
            r"expected labels of shape \(6,\), integers; found shape \(5,\), uint8",
        ),
        (
            {"X": X, "y": Y + 0.5},
            r"expected labels of .*, integers; found shape \(6,\), float64",
        ),
        ({"X": X, "y": LABELS[:, None]}, "expected labels from 1 to 10; found 0 to 9"),
        ({"X": X, "y": Y + 1}, "expected labels from 1 to 10; found 2 to 11"),
    ],
)
def test_other_matlab_files_than_svhns_are_corrupted(tmp_path, variables, message):
    with pytest.raises(DatasetCorrupted, match=rf"^train_32x32\.mat.*{message}"):
        read_svhn(tmp_path, mat(**variables))


def uncompressed(**variables) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables)
    return stream.getvalue()


def test_svhn_files_may_be_uncompressed_and_hold_other_variables(tmp_path):
    data = read_svhn(
        tmp_path, uncompressed(note="text", z=np.array([1j]), X=X, s={"X": X}, y=Y)
    )
    np.testing.assert_array_equal(data.x, PIXELS / np.float32(255))
    np.testing.assert_array_equal(data.labels, LABELS)


def test_scipy_reads_no_matlab_file_but_the_published_one(tmp_path, monkeypatch):
    """SciPy trusts what it reads: a type beyond its table ends the process by a SIGSEGV."""
    monkeypatch.setattr(
        scipy.io, "loadmat", lambda *arguments, **options: pytest.fail("it was read")
    )
    content = mat(X=X, y=Y)
    wanted = published(svhn.published("train"), content)
    altered = content[:184] + struct.pack("<I", 20) + content[188:]
    with pytest.raises(DatasetCorrupted, match=r"train_32x32\.mat"):
        svhn.assemble(wanted, 3 * IMAGES, put(tmp_path, wanted, altered))


@pytest.mark.parametrize(
    "content",
    [b"", b"no MATLAB file", b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"],
)
def test_other_files_than_matlabs_are_corrupted(tmp_path, content):
    with pytest.raises(
        DatasetCorrupted, match=r"^train_32x32\.mat is no MATLAB file of version 5: "
    ):
        read_svhn(tmp_path, content)


# MNIST


def test_mnist_has_the_format_of_fashion_mnist(tmp_path, monkeypatch):
    images, labels = PIXELS[:, :28, :28, 0], LABELS
    payloads = [
        bytes([0, 0, 8, array.ndim])
        + np.array(array.shape, dtype=">u4").tobytes()
        + array.tobytes()
        for array in (images, labels)
    ]
    wanted = mnist.published("train")
    files = [
        replace(file, sha256=hashlib.sha256(payload).hexdigest())
        for file, payload in zip(wanted.files, payloads, strict=True)
    ]
    for file, payload in zip(files, payloads, strict=True):
        (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(payload))
    monkeypatch.setattr(
        mnist, "published", lambda part: replace(wanted, part=part, files=tuple(files))
    )
    data = mnist.load("train", folder=tmp_path)
    np.testing.assert_array_equal(data.x, images / np.float32(255))
    np.testing.assert_array_equal(data.labels, labels)
    assert (data.name, data.classes, data.sha256) == ("mnist", 10, files[0].sha256)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[1:], r"of shape \(6,\), integers; found shape \(5,\)"),
        (LABELS + 1, "from 0 to 9; found 1 to 10"),
    ],
)
def test_labels_that_are_not_the_images_are_corrupted(tmp_path, labels, message):
    wanted = mnist.published("t10k")
    files = []
    for file, array in zip(wanted.files, (PIXELS[..., 0], labels), strict=True):
        payload = (
            bytes([0, 0, 8, array.ndim])
            + np.array(array.shape, dtype=">u4").tobytes()
            + array.tobytes()
        )
        (tmp_path / file.name).write_bytes(payload)
        files.append(replace(file, sha256=hashlib.sha256(payload).hexdigest()))
    with pytest.raises(
        DatasetCorrupted, match=f"t10k-labels-idx1-ubyte: expected labels {message}"
    ):
        mnist.assemble(replace(wanted, files=tuple(files)), tmp_path)


# All of them


@pytest.mark.parametrize(
    ("name", "part", "files"),
    [
        (
            "cifar10",
            "train",
            {
                "cifar-10-binary.tar.gz": (
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
                )
            },
        ),
        (
            "cifar10",
            "test",
            {
                "cifar-10-binary.tar.gz": (
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
                )
            },
        ),
        (
            "svhn",
            "train",
            {
                "train_32x32.mat": (
                    "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"
                )
            },
        ),
        (
            "svhn",
            "test",
            {
                "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"
            },
        ),
        (
            "svhn",
            "extra",
            {
                "extra_32x32.mat": (
                    "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3"
                )
            },
        ),
        (
            "mnist",
            "train",
            {
                "train-images-idx3-ubyte": (
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
                ),
                "train-labels-idx1-ubyte": (
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
                ),
            },
        ),
        (
            "mnist",
            "t10k",
            {
                "t10k-images-idx3-ubyte": (
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
                ),
                "t10k-labels-idx1-ubyte": (
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
                ),
            },
        ),
    ],
)
def test_an_absent_set_is_unavailable_and_says_how_to_get_it(cache, name, part, files):
    with pytest.raises(DatasetUnavailable) as raised:
        datasets.load(name, part=part)
    message = str(raised.value)
    for line in (
        f"Data set '{name}', part '{part}', was not found",
        f"cache ({cache / name}): no such folder",
        "download: not asked for",
        *(f"  {file}  {sha256}" for file, sha256 in files.items()),
        f"into a folder {name}/ and set NTK_CLAIMS_DATA",
        "download=True",
    ):
        assert line in message
    assert not isinstance(raised.value, DatasetCorrupted)
    assert "Debian" not in message
    assert "system package" not in message
    assert ("with this sha256 of the decompressed bytes" in message) == (
        name == "mnist"
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("cifar10", "train, test"),
        ("svhn", "train, test, extra"),
        ("mnist", "t10k, train"),
    ],
)
def test_an_unknown_part_is_named(name, parts):
    with pytest.raises(
        InvalidInput, match=f"Data set '{name}' has no part 'valid'. Parts: {parts}"
    ):
        datasets.load(name, part="valid")


@pytest.mark.parametrize(
    ("name", "file"),
    [("cifar10", "cifar-10-binary.tar.gz"), ("svhn", "train_32x32.mat")],
)
def test_another_file_of_that_name_is_corrupted(tmp_path, monkeypatch, name, file):
    (tmp_path / name).mkdir()
    (tmp_path / name / file).write_bytes(b"other")
    monkeypatch.setenv("NTK_CLAIMS_DATA", str(tmp_path))
    found = hashlib.sha256(b"other").hexdigest()
    expected = (
        rf"{file} is not the published file {file}\. Expected sha256: \w+; "
        rf"found: {found} \(5 bytes\)\. Replace it"
    )
    with pytest.raises(DatasetCorrupted, match=expected):
        datasets.load(name)


def test_an_archive_is_downloaded_as_published(cache, monkeypatch):
    content = archive(THREE)
    wanted = published(cifar10.published("train"), content)
    asked = []

    def fetch(self, url, target, _):
        asked.append(url)
        Path(target).write_bytes(content)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fetch)
    first = cifar10.assemble(wanted, BATCHES, IMAGES, download=True)
    second = cifar10.assemble(wanted, BATCHES, IMAGES, download=True)
    assert (first.source, second.source) == ("download", "cache")
    assert asked == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]
    assert [path.name for path in (cache / "cifar10").iterdir()] == [
        "cifar-10-binary.tar.gz"
    ]
    np.testing.assert_array_equal(first.x, second.x)


def test_another_download_than_the_published_archive_is_not_kept(cache, monkeypatch):
    monkeypatch.setattr(
        pooch.HTTPDownloader,
        "__call__",
        lambda self, url, target, _: Path(target).write_bytes(b"login"),
    )
    with pytest.raises(
        DatasetCorrupted,
        match=r"^https://.*/cifar-10-binary\.tar\.gz is not the .*was discarded",
    ):
        cifar10.load(download=True)
    assert list((cache / "cifar10").iterdir()) == []

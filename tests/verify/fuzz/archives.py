"""Targets: the files of data sets, without the checksums that guard their readers."""

import gzip
import hashlib
import io
import lzma
import random
import tarfile
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import rdata

from harness.datasets import Dataset, _mlbench, cifar5m, cifar10, fashion_mnist, shuttle
from harness.datasets._places import Published
from harness.errors import DatasetUnavailable
from tests.verify.fuzz.mutations import altered
from tests.verify.fuzz.target import Target

IMAGES = 2
PIXELS = np.arange(IMAGES * 32 * 32 * 3, dtype=np.uint8).reshape(IMAGES, 32, 32, 3)
LABELS = np.array([3, 9], dtype=np.uint8)
VARIABLES, CODES = (
    np.array([[0.0, 0.5], [1.0, 0.25]], np.float32),
    np.array([1, 0], np.int64),
)
TABLE = hashlib.sha256(VARIABLES.tobytes() + CODES.tobytes()).hexdigest()
BATCH = "cifar-10-batches-bin/test_batch.bin"
IMAGE_FILE, LABEL_FILE = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def targets() -> list[Target]:
    """Of this module."""
    refusals = (DatasetUnavailable,)
    grey = (
        bytes([0, 0, 8, 3])
        + np.array([IMAGES, 28, 28], ">u4").tobytes()
        + PIXELS[:, :28, :28, 0].tobytes()
    )
    return [
        Target("idx", [grey], _idx, refusals),
        Target("idx-gz", [gzip.compress(grey)], _idx_gz, refusals),
        Target("idx-xz", [lzma.compress(grey)], _idx_xz, refusals),
        Target("tar", [_tar()], _tar_gz, refusals),
        Target("tar-gz", [gzip.compress(_tar())], _cifar10, refusals),
        Target("npz", [_npz(stored=True), _npz(stored=False)], _cifar5m, refusals),
        Target("npy-header", [_npz(stored=True)], _cifar5m, refusals, _other_header),
        Target("rda", [_rda()], _mlbench_table, refusals),
    ]


def _unverified(wanted: Published) -> Published:
    return replace(
        wanted, files=tuple(replace(file, sha256="") for file in wanted.files)
    )


def _checked(data: Dataset) -> None:
    assert data.x.dtype == np.float32
    assert np.isfinite(data.x).all()
    assert data.x.min() >= 0
    assert data.x.max() <= 1
    assert data.labels.shape == data.x.shape[:1]
    assert set(data.labels.tolist()) <= set(range(10))


def _idx(folder: Path, content: bytes, suffix: str = "") -> None:
    (folder / f"{IMAGE_FILE}{suffix}").write_bytes(content)
    (folder / LABEL_FILE).write_bytes(
        bytes([0, 0, 8, 1, 0, 0, 0, IMAGES]) + LABELS.tobytes()
    )
    data = fashion_mnist.assemble(_unverified(fashion_mnist.published("t10k")), folder)
    if data.x.size:
        _checked(data)


def _idx_gz(folder: Path, content: bytes) -> None:
    _idx(folder, content, ".gz")


def _idx_xz(folder: Path, content: bytes) -> None:
    _idx(folder, content, ".xz")


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(BATCH)
        content = b"".join(
            bytes([label]) + image.tobytes()
            for label, image in zip(LABELS, PIXELS, strict=True)
        )
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _cifar10(folder: Path, content: bytes) -> None:
    wanted = _unverified(cifar10.published("test"))
    (folder / wanted.files[0].name).write_bytes(content)
    _checked(cifar10.assemble(wanted, [BATCH], IMAGES, folder))


def _tar_gz(folder: Path, content: bytes) -> None:
    _cifar10(folder, gzip.compress(content, 1))


def _npz(stored: bool) -> bytes:
    stream = io.BytesIO()
    (np.savez if stored else np.savez_compressed)(
        stream, X=PIXELS, Y=LABELS.astype(np.int64)
    )
    return stream.getvalue()


def _cifar5m(folder: Path, content: bytes) -> None:
    wanted = _unverified(cifar5m.published("part0"))
    (folder / wanted.files[0].name).write_bytes(content)
    _checked(cifar5m.assemble(wanted, IMAGES, IMAGES, folder))


def _other_header(draws: random.Random, content: bytes) -> bytes:
    """The members altered at their beginning, and packed with checksums that fit."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            member = old.read(name)
            new.writestr(name, altered(draws, member[:128]) + member[128:])
    return stream.getvalue()


def _rda() -> bytes:
    columns = {
        "V1": [0.0, 1.0],
        "V2": [0.5, 0.25],
        "Class": pandas.Categorical(["High", "Bypass"]),
    }
    with tempfile.TemporaryDirectory() as folder:
        rdata.write_rda(
            Path(folder, "table.rda"),
            {"Shuttle": pandas.DataFrame(columns)},
            compression=None,
        )
        return Path(folder, "table.rda").read_bytes()


def _mlbench_table(folder: Path, content: bytes) -> None:
    (folder / "Shuttle.rda").write_bytes(content)
    _mlbench.load_table(replace(shuttle.TABLE, sha256=TABLE), folder)

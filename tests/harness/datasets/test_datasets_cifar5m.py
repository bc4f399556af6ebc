"""CIFAR-5m: its reader on tiny files, and the record that stands for the checksum that upstream did
not publish.
"""

import hashlib
import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests

from harness import datasets
from harness.datasets import cifar5m
from harness.errors import DatasetCorrupted, DatasetUnavailable, InvalidInput

IMAGES = 4
PIXELS = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3)).astype(np.uint8)
LABELS = np.array([9, 0, 3, 3])


def npz(save=np.savez, **arrays) -> bytes:
    stream = io.BytesIO()
    save(stream, **{"X": PIXELS, "Y": LABELS, **arrays})
    return stream.getvalue()


PART = npz()


class Evil:
    """Unpickling it raises SystemExit."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was loaded')",)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache, inside tmp_path, not there yet; and no network."""

    def explode(*args, **kwargs):
        raise AssertionError("the network was used, and nobody had asked for it")

    monkeypatch.delenv("NTK_CLAIMS_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(requests.Session, "send", explode)
    return tmp_path / "cache" / "ntk-claims" / "cifar5m"


@pytest.fixture
def upstream(monkeypatch):
    """What upstream serves, under each URL; set it."""
    served: dict[str, bytes] = {}
    monkeypatch.setattr(
        pooch.HTTPDownloader,
        "__call__",
        lambda self, url, target, _: Path(target).write_bytes(served[url]),
    )
    return served


URL = "https://storage.googleapis.com/gresearch/cifar5m/part0.npz"


def read(
    folder: Path | None = None,
    content: bytes | None = None,
    n: int = IMAGES,
    download: bool = False,
):
    if folder and content is not None:
        (folder / "part0.npz").write_bytes(content)
    return cifar5m.assemble(
        cifar5m.published("part0"), IMAGES, n, folder, download=download
    )


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("n", [1, 3, IMAGES])
def test_the_first_images_are_read(tmp_path, save, n):
    content = npz(save)
    data = read(tmp_path, content, n)
    np.testing.assert_array_equal(data.x, PIXELS[:n] / np.float32(255))
    np.testing.assert_array_equal(data.labels, LABELS[:n])
    assert (data.x.dtype, data.labels.dtype) == (np.float32, np.int64)
    assert (data.name, data.classes, data.source) == ("cifar5m", 10, "folder argument")
    assert data.sha256 == sha256(content)


def test_what_is_loaded_by_name_is_the_whole_part_unless_fewer_are_asked_for(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(cifar5m, "IMAGES", IMAGES)
    for part, content in (("part0", PART), ("part5", npz(Y=LABELS[::-1].copy()))):
        (tmp_path / f"{part}.npz").write_bytes(content)
    np.testing.assert_array_equal(
        datasets.load("cifar5m", folder=tmp_path).labels, LABELS
    )
    np.testing.assert_array_equal(
        datasets.load("cifar5m", folder=tmp_path, part="part5").labels, LABELS[::-1]
    )
    assert len(datasets.load("cifar5m", folder=tmp_path, n=2)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            npz(X=PIXELS[1:]),
            r"expected X of shape \(4, 32, 32, 3\), uint8 .*; found shape \(3, 32, 32, 3\), uint8",
        ),
        (
            npz(X=PIXELS.astype(float)),
            r"expected X .*; found shape \(4, 32, 32, 3\), float64",
        ),
        (
            npz(X=PIXELS.astype(np.int16)),
            r"expected X .* uint8 or narrower, row by row; found .*, int16",
        ),
        (npz(X=PIXELS.astype(bool)), r"expected pixels of .*, uint8; found .*, bool"),
        (
            npz(X=np.asfortranarray(PIXELS)),
            r"expected X .* row by row; found .*, uint8, column by column",
        ),
        (
            npz(Y=LABELS[1:]),
            r"expected Y of shape \(4,\), int64 or narrower, row by row; found shape \(3,\), int64",
        ),
        (npz(Y=LABELS + 1), "expected labels from 0 to 9; found 1 to 10"),
        (npz(Y=LABELS - 1), "expected labels from 0 to 9; found -1 to 8"),
        (npz(Y=np.array([Evil()] * 4)), r"expected Y .*; found shape \(4,\), object"),
    ],
)
def test_other_arrays_are_corrupted(tmp_path, content, message):
    with pytest.raises(DatasetCorrupted, match=rf"^part0\.npz: {message}"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        PART[:-9],
        PART[:200],
        PART[-500:],
        PART.replace(b"{'descr'", b"{{descr'"),
        npz(np.savez_compressed)[:-200],
        pickle.dumps(Evil()),
    ],
)
def test_damaged_files_are_corrupted(tmp_path, content):
    with pytest.raises(
        DatasetCorrupted,
        match=r"^part0\.npz is a damaged \.npz file: .+\. Get it again",
    ):
        read(tmp_path, content)


def members(**payloads: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, payload in payloads.items():
            archive.writestr(f"{name}.npy", payload)
    return stream.getvalue()


def test_a_header_without_end_is_not_read(tmp_path):
    """64 MB of spaces, in a file of 64 kB; numpy alone would take them all into memory, up to 4 GB,
    and then refuse.
    """
    payload = b"\x93NUMPY\x02\x00" + (2**26).to_bytes(4, "little") + b" " * 2**26
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", payload)
    wanted = stream.getvalue()
    tracemalloc.start()
    with pytest.raises(
        DatasetCorrupted,
        match=r"damaged \.npz file: .*expected 67108864 bytes got 9988",
    ):
        read(tmp_path, wanted)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**22


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("payloads", "message"),
    [
        ({"Y": npy(LABELS)}, "damaged .npz file: .*no item named 'X.npy'"),
        ({"X": npy(PIXELS)}, "damaged .npz file: .*no item named 'Y.npy'"),
        ({"X": b"", "Y": npy(LABELS)}, "damaged .npz file: EOF"),
        (
            {"X": pickle.dumps(Evil()), "Y": npy(LABELS)},
            "damaged .npz file: the magic string is not correct",
        ),
        (
            {"X": npy(PIXELS)[:-1], "Y": npy(LABELS)},
            "expected 12288 bytes of X; found 12287",
        ),
    ],
)
def test_other_members_are_corrupted(tmp_path, payloads, message):
    with pytest.raises(DatasetCorrupted, match=rf"^part0\.npz.*{message}"):
        read(tmp_path, members(**payloads))


# The record of the first download


def test_the_first_download_is_recorded_and_later_reads_are_held_against_it(
    cache, upstream
):
    upstream[URL] = PART
    first, second = read(download=True), read()
    assert (first.source, second.source) == ("download", "cache")
    assert first.sha256 == second.sha256 == sha256(PART)
    assert (cache / "part0.npz.sha256").read_text() == f"{sha256(PART)}  part0.npz\n"
    assert sorted(path.name for path in cache.iterdir()) == [
        "part0.npz",
        "part0.npz.sha256",
    ]
    other = npz(Y=LABELS[::-1].copy())
    (cache / "part0.npz").write_bytes(other)
    expected = (
        rf"is not the recorded file part0\.npz\. Expected sha256: {sha256(PART)}; "
        rf"found: {sha256(other)} .*delete"
    )
    with pytest.raises(DatasetCorrupted, match=expected):
        read()


def test_a_later_download_must_be_the_recorded_one(cache, upstream):
    upstream[URL] = PART
    read(download=True)
    (cache / "part0.npz").unlink()
    upstream[URL] = npz(Y=LABELS[::-1].copy())
    with pytest.raises(
        DatasetCorrupted,
        match=rf"^{URL} is not the recorded file .*delete its record, part0\.npz\.sha256",
    ):
        read(download=True)
    assert [path.name for path in cache.iterdir()] == ["part0.npz.sha256"]
    upstream[URL] = PART
    assert read(download=True).source == "download"


def test_an_interrupted_download_leaves_no_file_without_its_record(
    cache, upstream, monkeypatch
):
    upstream[URL] = PART
    replace = Path.replace

    def interrupted(path, target):
        if list(cache.glob("part0*")):
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(download=True)
    assert [path.name for path in cache.iterdir()] == ["part0.npz.sha256"]


def test_a_file_without_record_is_read_and_its_folder_left_alone(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    assert read(folder, PART).sha256 == sha256(PART)
    assert [path.name for path in folder.iterdir()] == ["part0.npz"]


def test_a_record_beside_a_file_of_ones_own_counts(tmp_path):
    (tmp_path / "part0.npz.sha256").write_text(sha256(PART).upper())
    assert read(tmp_path, PART).sha256 == sha256(PART)
    with pytest.raises(DatasetCorrupted, match=r"part0\.npz is not the recorded file"):
        read(tmp_path, npz(Y=LABELS[::-1].copy()))


@pytest.mark.parametrize("record", ["", "no digits", "0" * 63, "0" * 65])
def test_a_record_without_a_checksum_is_corrupted(tmp_path, record):
    (tmp_path / "part0.npz.sha256").write_text(record)
    with pytest.raises(
        DatasetCorrupted,
        match=r"npz\.sha256 must begin with the sha256 of part0\.npz, 64 hex.*delete it",
    ):
        read(tmp_path, PART)


def test_a_file_or_record_that_cannot_be_read_is_unavailable(tmp_path, monkeypatch):
    (tmp_path / "part0.npz").write_bytes(PART)

    def refuse(path, *args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(
        DatasetUnavailable, match=r"part0\.npz cannot be read: Permission denied"
    ):
        read(tmp_path)
    monkeypatch.undo()
    (tmp_path / "part0.npz.sha256").write_text(sha256(PART))
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(
        DatasetUnavailable,
        match=r"part0\.npz\.sha256 cannot be read: Permission denied",
    ):
        read(tmp_path)


def test_an_absent_part_is_unavailable_and_says_that_no_checksum_was_published(cache):
    with pytest.raises(DatasetUnavailable) as raised:
        datasets.load("cifar5m", part="part3")
    for line in (
        "Data set 'cifar5m', part 'part3', was not found",
        f"cache ({cache}): no such folder",
        "part3.npz  (none was published: that of the first download counts)",
        "from https://storage.googleapis.com/gresearch/cifar5m/",
        "download=True",
    ):
        assert line in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"part": "part6"},
            "has no part 'part6'. Parts: part0, part1, part2, part3, part4, part5",
        ),
        ({"n": 0}, "n must be from 1 to 1000448, the images of a part; got 0"),
        (
            {"n": 1_000_449},
            "n must be from 1 to 1000448, the images of a part; got 1000449",
        ),
        ({"n": 1.5}, "n must be an integer or None; got 1.5"),
    ],
)
def test_options_that_are_not_allowed_are_named(options, message):
    with pytest.raises(InvalidInput, match=f"^Data set 'cifar5m'.*{message}"):
        datasets.load("cifar5m", **options)

import gzip
import hashlib
import http.server
import lzma
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests

from harness import datasets
from harness.datasets import _places, fashion_mnist
from harness.datasets._files import File, idx
from harness.datasets._places import Published
from harness.errors import DatasetCorrupted, DatasetUnavailable, InvalidInput

FIXTURES = Path(__file__).parents[3] / "fixtures" / "fashion-mnist"
IMAGES, LABELS = (
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.array([7, 9], dtype=np.uint8),
)


def as_idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim])
        + np.array(array.shape, dtype=">u4").tobytes()
        + array.tobytes()
    )


COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
TINY = {"tiny-images": as_idx(IMAGES), "tiny-labels": as_idx(LABELS)}


def published(payloads=TINY, url="http://upstream.invalid/") -> Published:
    files = tuple(
        File(name, hashlib.sha256(payload).hexdigest())
        for name, payload in payloads.items()
    )
    return Published("tiny", "all", files, url, "dataset-tiny")


def put(folder: Path, suffix: str = "", payloads=TINY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, payload in payloads.items():
        (folder / (name + suffix)).write_bytes(COMPRESS[suffix](payload))
    return folder


def explode(*args, **kwargs):
    raise AssertionError("the network was used, and nobody had asked for it")


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """The standard places, inside tmp_path, empty; and no network."""
    monkeypatch.delenv("NTK_CLAIMS_DATA", raising=False)
    monkeypatch.setattr(_places, "SYSTEM", tmp_path / "system")
    monkeypatch.setattr(
        _places, "embedded", lambda dataset: tmp_path / "embedded" / dataset
    )
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(requests.Session, "send", explode)
    return {
        "folder argument": tmp_path / "given",
        "folder NTK_CLAIMS_DATA/tiny": tmp_path / "root" / "tiny",
        "embedded": tmp_path / "embedded" / "tiny",
        "system package": tmp_path / "system" / "tiny",
        "cache": tmp_path / "cache" / "ntk-claims" / "tiny",
    }


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """A server on this machine whose files are those in tmp_path/upstream; its URL."""
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_places, "SYSTEM", tmp_path / "system")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path / "upstream")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# The embedded part


@pytest.fixture(scope="module")
def embedded():
    return fashion_mnist.load(folder=FIXTURES)


def test_embedded_part_is_upstreams():
    sums = dict(
        reversed(line.split())
        for line in (FIXTURES / "SHA256SUMS").read_text().splitlines()
    )
    for part in ("t10k", "train"):
        for file in fashion_mnist.published(part).files:
            assert sums.pop(file.name) == file.sha256
    assert not sums
    for file in fashion_mnist.published("t10k").files:
        payload = lzma.decompress((FIXTURES / f"{file.name}.xz").read_bytes())
        assert hashlib.sha256(payload).hexdigest() == file.sha256


def test_embedded_part_as_arrays(embedded):
    assert (embedded.x.shape, embedded.x.dtype) == ((10_000, 28, 28), np.float32)
    assert (embedded.labels.shape, embedded.labels.dtype) == ((10_000,), np.int64)
    assert (embedded.x.min(), embedded.x.max()) == (0.0, 1.0)
    assert np.bincount(embedded.labels).tolist() == [1_000] * 10
    assert embedded.labels[:4].tolist() == [9, 2, 1, 1]
    assert embedded.x.mean() * 255 == pytest.approx(73.15, abs=0.01)
    assert (embedded.classes, len(embedded)) == (10, 10_000)
    assert (
        embedded.sha256
        == "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    )


def test_embedded_part_needs_neither_pooch_nor_a_framework():
    code = (
        "import sys; sys.modules['pooch'] = None; from harness import datasets; "
        "assert datasets.load('fashion-mnist').source == 'embedded'; datasets.load('digits-1d', "
        "n=1, seed=0); "
        "assert not {'torch', 'jax', 'requests'} & set(sys.modules)"
    )
    environment = {"PYTHONPATH": str(FIXTURES.parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


# Places


def test_places_are_taken_in_order(places, monkeypatch):
    monkeypatch.setenv(
        "NTK_CLAIMS_DATA", str(places["folder NTK_CLAIMS_DATA/tiny"].parent)
    )
    for folder in places.values():
        put(folder)
    assert (
        fashion_mnist.assemble(published(), places["folder argument"]).source
        == "folder argument"
    )
    assert fashion_mnist.assemble(published()).source == "folder NTK_CLAIMS_DATA/tiny"
    monkeypatch.delenv("NTK_CLAIMS_DATA")
    for source in ("embedded", "system package", "cache"):
        assert fashion_mnist.assemble(published(), download=True).source == source
        (places[source] / "tiny-labels").unlink()
    with pytest.raises(
        DatasetUnavailable,
        match=r"(?s)embedded.*has no tiny-labels.*cache.*has no tiny-labels",
    ):
        fashion_mnist.assemble(published())


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_plain_and_compressed_files_are_read(places, suffix):
    data = fashion_mnist.assemble(published(), put(places["folder argument"], suffix))
    np.testing.assert_array_equal(data.x, IMAGES.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(data.labels, [7, 9])
    assert data.sha256 == hashlib.sha256(TINY["tiny-images"]).hexdigest()


@pytest.mark.parametrize("part", ["t10k", "train"])
def test_given_folder_is_the_only_place(places, tmp_path, monkeypatch, part):
    monkeypatch.setattr(_places, "embedded", lambda dataset: FIXTURES)
    (tmp_path / "empty").mkdir()
    expected = (
        rf"(?s)folder argument \(.*empty\): has no {part}-images.*"
        rf"no {part}-labels.*nowhere else"
    )
    with pytest.raises(DatasetUnavailable, match=expected):
        datasets.load(
            "fashion-mnist", part=part, folder=tmp_path / "empty", download=True
        )
    with pytest.raises(
        DatasetUnavailable, match=r"folder argument \(.*absent\): no such folder"
    ):
        datasets.load(
            "fashion-mnist", part=part, folder=tmp_path / "absent", download=True
        )
    monkeypatch.setenv("NTK_CLAIMS_DATA", str(tmp_path))
    with pytest.raises(
        DatasetUnavailable,
        match=r"folder NTK_CLAIMS_DATA/fashion-mnist \(.*\): no such folder",
    ):
        datasets.load("fashion-mnist", part=part)


def test_unavailable_names_places_files_checksums_and_ways_to_get_them(places):
    with pytest.raises(DatasetUnavailable) as raised:
        datasets.load("fashion-mnist", part="train")
    assert not isinstance(raised.value, DatasetCorrupted)
    for part in (
        "Data set 'fashion-mnist', part 'train', was not found",
        *(
            f"{place} ({places[place].with_name('fashion-mnist')})"
            for place in ("embedded", "system package", "cache")
        ),
        "download: not asked for",
        "train-images-idx3-ubyte  c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte  bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "Debian package dataset-fashion-mnist",
        "NTK_CLAIMS_DATA",
        "download=True",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize("download", [False, True])
def test_without_pooch_cache_and_download_are_not_looked_in(monkeypatch, download):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        DatasetUnavailable,
        match="cache, download: not looked in: pooch is not installed",
    ):
        fashion_mnist.assemble(published(), download=download)


# Wrong bytes


def test_wrong_bytes_are_corrupted_and_no_other_place_is_tried(places):
    put(places["embedded"], payloads={**TINY, "tiny-labels": as_idx(LABELS[::-1])})
    put(places["system package"])
    right, wrong = (
        hashlib.sha256(as_idx(array)).hexdigest() for array in (LABELS, LABELS[::-1])
    )
    with pytest.raises(
        DatasetCorrupted,
        match=rf"tiny-labels is not .*: {right}; found: {wrong} \(10 bytes\).*delete",
    ):
        fashion_mnist.assemble(published())


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_truncated_and_damaged_archives_are_corrupted(places, suffix):
    folder = put(places["folder argument"], suffix)
    archive = folder / f"tiny-images{suffix}"
    whole = archive.read_bytes()
    for damaged in (whole[:-9], whole[:25] + b"\xff\xff" + whole[27:], b"no archive"):
        archive.write_bytes(damaged)
        with pytest.raises(
            DatasetCorrupted,
            match=rf"tiny-images\{suffix} is not .*found: a damaged archive \(.+\)",
        ):
            fashion_mnist.assemble(published(), folder)


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize(
    ("content", "behind", "said"),
    [
        (bytes(1001), b"", "it holds more than 1000 bytes"),
        (bytes(9), b"more", "something follows its end"),
    ],
)
def test_archives_that_hold_too_much_are_corrupted(
    places, monkeypatch, suffix, content, behind, said
):
    monkeypatch.setattr("harness.datasets._files.LARGEST", 1000)
    folder = put(places["folder argument"], suffix)
    (folder / f"tiny-images{suffix}").write_bytes(COMPRESS[suffix](content) + behind)
    with pytest.raises(DatasetCorrupted, match=rf"found: a damaged archive \({said}\)"):
        fashion_mnist.assemble(published(), folder)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "expected an IDX header of 8 bytes, 00000801...; found nothing"),
        (
            as_idx(IMAGES),
            "expected an IDX header of 8 bytes, 00000801...; found 00000803",
        ),
        (
            as_idx(LABELS)[:6],
            "expected an IDX header of 8 bytes, 00000801...; found 000008010000",
        ),
        (as_idx(LABELS)[:-1], r"expected 2 bytes of data for shape \(2,\); found 1"),
        (as_idx(LABELS) + b"\0", r"expected 2 bytes of data for shape \(2,\); found 3"),
    ],
)
def test_other_files_than_idx_are_corrupted(places, payload, message):
    payloads = {**TINY, "tiny-labels": payload}
    with pytest.raises(DatasetCorrupted, match=f"tiny-labels: {message}"):
        fashion_mnist.assemble(
            published(payloads), put(places["folder argument"], payloads=payloads)
        )


def test_idx_sizes_are_big_endian():
    array = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(2, 300)
    np.testing.assert_array_equal(
        idx(as_idx(array), File("any", ""), dimensions=2), array
    )


def test_unreadable_file_is_unavailable(places, monkeypatch):
    folder = put(places["folder argument"])

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(
        DatasetUnavailable, match="tiny-images cannot be read: Permission denied"
    ):
        fashion_mnist.assemble(published(), folder)
    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(
        DatasetUnavailable, match="cannot be looked into: Permission denied"
    ):
        fashion_mnist.assemble(published(), folder)


# Download


def test_download_fills_the_cache(upstream, places, tmp_path):
    put(tmp_path / "upstream", ".gz")
    wanted = published(url=upstream)
    with pytest.raises(DatasetUnavailable, match="download: not asked for"):
        fashion_mnist.assemble(wanted)
    assert not places["cache"].exists()
    first, second = (
        fashion_mnist.assemble(wanted, download=True),
        fashion_mnist.assemble(wanted),
    )
    assert (first.source, second.source) == ("download", "cache")
    np.testing.assert_array_equal(first.x, IMAGES.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(first.x, second.x)
    assert sorted(path.name for path in places["cache"].iterdir()) == [
        "tiny-images.gz",
        "tiny-labels.gz",
    ]


def test_wrong_download_keeps_nothing(upstream, places, tmp_path):
    put(
        tmp_path / "upstream",
        ".gz",
        payloads={**TINY, "tiny-labels": as_idx(LABELS[::-1])},
    )
    with pytest.raises(
        DatasetCorrupted,
        match=r"^http://.*/tiny-labels.gz is not the published.*was discarded",
    ):
        fashion_mnist.assemble(published(url=upstream), download=True)
    assert list(places["cache"].iterdir()) == []


def test_failed_download_says_why_and_keeps_nothing(upstream, places, tmp_path):
    put(tmp_path / "upstream", ".gz", payloads={"tiny-images": TINY["tiny-images"]})
    with pytest.raises(
        DatasetUnavailable,
        match=rf"(?s)cache .*: no such folder.*download from {upstream}: 404 .*",
    ):
        fashion_mnist.assemble(published(url=upstream), download=True)
    assert list(places["cache"].iterdir()) == []


# Names and options


def test_unknown_names_and_options_are_named():
    with pytest.raises(
        InvalidInput,
        match=r"Unknown data set 'mnist-2'\. Known: cifar10, .*, fashion-mnist, letter, mnist, "
        r"shuttle",
    ):
        datasets.load("mnist-2")
    with pytest.raises(InvalidInput, match="Unknown data set '_files'"):
        datasets.load("_files")
    with pytest.raises(
        InvalidInput,
        match=r"unexpected keyword argument 'parts'\. Its options: part, folder, download",
    ):
        datasets.load("fashion-mnist", parts="train")
    with pytest.raises(
        InvalidInput,
        match=r"'digits-1d': missing a required argument: 'seed'\. Its options: n, seed",
    ):
        datasets.load("digits-1d", n=10)
    with pytest.raises(
        InvalidInput, match=r"'fashion-mnist' has no part 'test'\. Parts: t10k, train"
    ):
        datasets.load("fashion-mnist", part="test")

"""Where the files of a data set are looked for, in this order:

1. the folder that is given, as an argument or else as $NTK_CLAIMS_DATA/<data set>; then no other
    place is looked in;
2. embedded in this project, if a distribution packages the data set (others have licences that do
    not let us);
3. the system package, in /usr/share/datasets/<data set> or where else it puts its files, likewise;
4. the cache, filled by earlier downloads;
5. a download, only if it is asked for.

The first place that has all the files is taken. Wrong bytes there are an error, not a reason to
look further.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.datasets._files import File, admit, locate, read, recorded
from harness.errors import DatasetCorrupted, DatasetUnavailable

ENVIRONMENT = "NTK_CLAIMS_DATA"
SYSTEM = Path("/usr/share/datasets")


@dataclass(frozen=True)
class Published:
    """The files of one part of a data set, all of them kept as published or none, and how to get
    them.

    Each is at `url` + its name for downloads; `package` is the Debian package, "" if there is none,
    and `system` where it puts them, if not where data sets are; `megabytes` is what a download
    takes.
    """

    dataset: str
    part: str
    files: tuple[File, ...]
    url: str
    package: str = ""
    licence: str = "none stated"
    megabytes: float = 0.0
    system: Path | None = None

    @property
    def command(self) -> str:
        """What downloads the files into the cache."""
        return f"ntk-claims data fetch {self.dataset} --part {self.part}"


@dataclass(frozen=True)
class Place:
    """A folder to look in; a result names its source, an error its folder too."""

    source: str
    folder: Path

    def lacks(self, files: Sequence[File]) -> str:
        """Why the files are not here; "" if all of them are."""
        try:
            if not self.folder.is_dir():
                return "no such folder"
            missing = [
                file.name for file in files if not locate(self.folder, file).is_file()
            ]
        except OSError as error:
            return f"cannot be looked into: {error.strerror}"
        return f"has no {', no '.join(missing)}" if missing else ""

    def paths(self, files: Sequence[File]) -> list[Path]:
        """Where each file is."""
        return [locate(self.folder, file) for file in files]


def obtain(
    wanted: Published,
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> tuple[str, list[bytes]]:
    """The source, and the verified, decompressed bytes of each wanted file.

    Raises:
        DatasetUnavailable: if no place has all of them, naming every place and what to do.
        DatasetCorrupted: if the first place that has them has wrong bytes.
    """
    source, paths = find(wanted, folder, download)
    return source, [
        read(path, file) for path, file in zip(paths, wanted.files, strict=True)
    ]


def find(
    wanted: Published,
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> tuple[str, list[Path]]:
    """The source, and the path of each wanted file, not yet verified unless it was downloaded.

    Raises:
        DatasetUnavailable: if no place has all of them, naming every place and what to do.
        DatasetCorrupted: if a download has wrong bytes.
    """
    given = _given(wanted.dataset, folder)
    looked = []
    for place in [given] if given else _standard(wanted):
        if not (reason := place.lacks(wanted.files)):
            return place.source, place.paths(wanted.files)
        looked.append(f"{place.source} ({place.folder}): {reason}")
    if given:
        looked.append("nowhere else, because this folder was given")
    elif (cache := _cache(wanted.dataset)) is None:
        looked.append("cache, download: not looked in: pooch is not installed")
    elif not download:
        looked.append("download: not asked for")
    elif not (reason := _download(wanted, cache.folder)):
        return "download", cache.paths(wanted.files)
    else:
        looked.append(f"download from {wanted.url}: {reason}")
    raise _unavailable(wanted, looked)


def source(wanted: Published) -> str:
    """The place that has the files, not yet verified; "" if none has them."""
    try:
        return find(wanted)[0]
    except DatasetUnavailable:
        return ""


def _given(dataset: str, folder: str | os.PathLike[str] | None) -> Place | None:
    if folder is not None:
        return Place("folder argument", Path(folder))
    root = os.environ.get(ENVIRONMENT)
    return (
        Place(f"folder {ENVIRONMENT}/{dataset}", Path(root) / dataset) if root else None
    )


def _standard(wanted: Published) -> Iterator[Place]:
    """One after the other, so pooch is imported only if the search gets as far as the cache."""
    if wanted.package:
        yield Place("embedded", embedded(wanted.dataset))
        yield Place("system package", wanted.system or SYSTEM / wanted.dataset)
    if cache := _cache(wanted.dataset):
        yield cache


def embedded(dataset: str) -> Path:
    """Folder of the fixtures: inside the package if it was installed from a wheel, beside it in a
    checkout.
    """
    package = Path(__file__).parents[1]
    inside = package / "fixtures" / dataset
    return inside if inside.is_dir() else package.parent / "fixtures" / dataset


def _cache(dataset: str) -> Place | None:
    """None without pooch, which a machine that only sweeps need not have."""
    try:
        import pooch
    except ImportError:
        return None
    return Place("cache", Path(pooch.os_cache("ntk-claims")) / dataset)


def _download(wanted: Published, cache: Path) -> str:
    """Fill the cache; why it failed, or "".

    Files enter it after all are verified: a bad download leaves nothing.
    """
    import pooch

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            for file in wanted.files:
                target, url = Path(scratch, file.download), wanted.url + file.download
                pooch.HTTPDownloader()(url, str(target), None)
                admit(target, recorded(cache, file), url)
            # Records first: an interruption may leave a record without its file, and never a file
            # without its record.
            for verified in sorted(
                Path(scratch).iterdir(), key=lambda path: path.suffix != ".sha256"
            ):
                verified.replace(cache / verified.name)
    except DatasetCorrupted:
        raise
    except OSError as error:
        return str(error)
    return ""


def _unavailable(wanted: Published, looked: Sequence[str]) -> DatasetUnavailable:
    as_published = all(file.as_published for file in wanted.files)
    install = (
        f"install the Debian package {wanted.package}; or " if wanted.package else ""
    )
    lines = (
        f"Data set {wanted.dataset!r}, part {wanted.part!r}, was not found. To download it: "
        f"{wanted.command}",
        "Looked in:",
        *(f"  {place}" for place in looked),
        "Wanted, as published, with this sha256:"
        if as_published
        else "Wanted, plain or as .gz or .xz, with this sha256 of the decompressed bytes:",
        *(
            f"  {file.name}  "
            f"{file.sha256 or '(none was published: that of the first download counts)'}"
            for file in wanted.files
        ),
        f"To get it: {install}put the files (from {wanted.url}) into a folder {wanted.dataset}/ "
        "and "
        f"set {ENVIRONMENT} to the folder around it; or, with neither set, run the command above "
        "(in Python: load it with download=True).",
    )
    return DatasetUnavailable("\n".join(lines))

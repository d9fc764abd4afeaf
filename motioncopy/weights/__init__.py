"""Pretrained networks: looked for on this machine, downloaded, taken in by hand, loaded.

What is trusted is a file's whole SHA-256, and nothing else: the one that the catalogue pins, or, where no source for
one was found, the one that the user vouched for once (`add` and `fetch` with a hash, or the question that the command
asks). The digits in a file's name, a note beside a file, and who put it there prove nothing. Hashes that were computed
or vouched for are kept in the user's own folder, see :mod:`motioncopy.weights.hashes`.

Nothing is downloaded unless `fetch` is called, nothing is loaded that is not trusted, and nothing that stands in a file
is run. Whoever can write this user's home folder, or this project's code, is trusted as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path

import torch
from torch import Tensor

from motioncopy.errors import BusyError, WeightsError
from motioncopy.files.documents import LFS_REMEDY, git_lfs_pointer
from motioncopy.files.lock import locked
from motioncopy.files.writing import unreadable, whole_file
from motioncopy.weights.catalogue import WEIGHTS, Weights, entry
from motioncopy.weights.downloads import discard, download, partial_path, writing
from motioncopy.weights.hashes import own_folder, sha256_of, trust, trusted, whole_hash
from motioncopy.weights.reading import read_state

__all__ = ["WEIGHTS", "Confirm", "Weights", "add", "entry", "fetch", "find", "home", "identity", "load", "target"]

#: Asks the user whether the file of these weights has this whole SHA-256, by a source of theirs.
Confirm = Callable[[Weights, str], bool]


def home() -> Path:
    """Where files are put: ``$MOTIONCOPY_WEIGHTS``, else ``~/.cache/motioncopy/weights``."""
    return _folders()[0]


def target(name: str) -> Path:
    """Where `fetch` and `add` put the file of these weights.

    Raises:
        WeightsError: If there is no such entry.
    """
    return home() / entry(name).file


def find(name: str) -> Path:
    """The file of these weights, its whole hash checked.

    It is looked for in ``$MOTIONCOPY_WEIGHTS``, in ``~/.cache/motioncopy/weights``, where torch keeps its own downloads
    (``$TORCH_HOME/hub/checkpoints``), and in the package that brings it. The first one there counts.

    Raises:
        WeightsError: If it is missing (the message says how to get it), is not the published file, or nobody vouched
            for its whole hash.
    """
    return _found(name)[0]


def _found(name: str) -> tuple[Path, str]:
    """The file and its hash, verified."""
    weights = entry(name)
    if path := _lying(weights):
        _check(path, digest := _sha256(path), weights)
        return path, digest
    if weights.package:
        raise WeightsError(
            f"the weights {name} ({weights.purpose}) are not on this machine",
            expected=f"{weights.inside} of the package {weights.package}",
            remedy=f"{weights.remedy}. Licence: {weights.licence}",
        )
    raise WeightsError(
        f"the weights {name} ({weights.purpose}) are not on this machine",
        expected=str(target(name)),
        remedy=f"`motioncopy weights fetch {name}` downloads them; or download {weights.url} elsewhere and "
        f"`motioncopy weights add FILE`. Licence: {weights.licence}",
    )


def load(name: str, *, within: str | None = None, ignored: Sequence[str] = ()) -> dict[str, Tensor]:
    """The state dict of these weights, on the CPU. Nothing that stands in the file is run.

    Args:
        name: A name of :data:`WEIGHTS`.
        within: The key under which the file holds the state dict; ``None`` where the file is the state dict.
        ignored: Dotted names of classes and functions that the file may mention beside the tensors. They are not
            called: an object that does nothing stands wherever they would have made something.

    Raises:
        WeightsError: See `find`; and if the file is damaged, mentions anything else, holds no tensors by name, or
            claims more than it holds.
    """
    path, weights = find(name), entry(name)
    with _opened(path) as file:  # what is verified is what is read, even if another file takes its place
        _check(path, sha256_of(path, file), weights)
        return read_state(path, file, within=within, ignored=ignored, remedy=f"delete it; {weights.remedy}")


def identity(name: str) -> str:
    """``NAME@sha256:HASH`` with the whole hash of the file on this machine, for records.

    Raises:
        WeightsError: See `find`.
    """
    return f"{name}@sha256:{_found(name)[1]}"


def fetch(name: str, *, sha256: str | None = None, confirm: Confirm | None = None) -> Path:
    """Downloads weights to `home`, unless they are on this machine already; see :mod:`motioncopy.weights.downloads`.

    Those that a package brings are not downloaded: the package is to be installed.

    Args:
        name: A name of :data:`WEIGHTS`.
        sha256: The whole hash, from a source of the user's; needed once where the catalogue has none.
        confirm: Asked otherwise.

    Returns:
        Where the file lies.

    Raises:
        WeightsError: If the download fails (what came is kept, and the next call goes on from there), if it is not the
            published file (nothing is left behind then), or if nobody vouches for it.
        BusyError: If another process is downloading it.
    """
    weights, path, sha256 = entry(name), None, whole_hash(sha256) if sha256 else None
    with contextlib.suppress(WeightsError):
        path = find(name)
    # Otherwise it is missing or damaged: a good copy comes before it, or in its place; or nobody vouched for it yet.
    if path is None and not weights.sha256 and (lying := _lying(weights)) and weights.agrees(lying, _sha256(lying)):
        path = lying
    if path is not None:
        _check(path, _sha256(path), weights, given=sha256, confirm=confirm)
        return path
    if weights.package:
        return find(name)  # raises, and says how to install it
    with writing(home()):
        home().mkdir(parents=True, exist_ok=True)
        partial = partial_path(home(), weights.url)
        with locked(partial, wait=False) as ours:
            if not ours:
                raise BusyError(f"{weights.url} is being downloaded by another process", remedy="wait for it")
            download(weights.url, partial, size=weights.size)
            digest = _sha256(partial)
            try:
                _check(partial, digest, weights, given=sha256, confirm=confirm)
            except WeightsError:
                if sha256 or not weights.agrees(partial, digest):
                    discard(partial)  # otherwise it waits for the user's word
                raise
            partial.replace(target(name))
            discard(partial)
    return target(name)


def add(path: Path, *, sha256: str | None = None, confirm: Confirm | None = None) -> Path:
    """Copies a file that was downloaded by hand to `home`. Its hash says which weights it holds, not its name.

    Args:
        path: The file.
        sha256: Its whole hash, from a source of the user's; needed once where the catalogue has none.
        confirm: Asked otherwise.

    Returns:
        Where the copy lies.

    Raises:
        WeightsError: If it cannot be read or copied, is none of the known files, or nobody vouches for it; nothing is
            left behind then.
    """
    digest = _sha256(path)
    for weights in WEIGHTS.values():
        if weights.agrees(path, digest):
            _check(path, digest, weights, given=sha256, confirm=confirm)
            return _take_in(path, digest, weights)
    pointer = git_lfs_pointer(path)
    raise WeightsError(
        f"{path} is the file of no known weights",
        expected=", ".join(f"{weights.file} ({weights.promised})" for weights in WEIGHTS.values()),
        found=pointer or f"SHA-256 {digest}",
        remedy=LFS_REMEDY if pointer else "download it again: it may have been cut short",
    )


def _folders() -> list[Path]:
    """Where files are looked for, in this order."""
    given = os.environ.get("MOTIONCOPY_WEIGHTS")
    return [*([Path(given)] if given else []), own_folder(), Path(torch.hub.get_dir()) / "checkpoints"]


def _lying(weights: Weights) -> Path | None:
    """The file of this name on this machine, whatever is in it."""
    return next((path for folder in _folders() if (path := folder / weights.file).is_file()), weights.installed)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    if path.exists() and not path.is_file():
        raise WeightsError(f"{path} cannot be read", found="no regular file")  # a pipe would be waited for
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise unreadable(path, error, WeightsError) from error


def _take_in(path: Path, digest: str, weights: Weights) -> Path:
    """Copies a file of this hash to where it is looked for."""
    place = home() / weights.file
    if place.exists() and place.samefile(path):
        return place
    with writing(home()):
        home().mkdir(parents=True, exist_ok=True)
    copied = hashlib.sha256()
    with whole_file(place, error=WeightsError) as copy, _opened(path) as file:
        while block := file.read(1 << 20):
            copied.update(block)
            copy.write(block)
        if copied.hexdigest() != digest:
            raise WeightsError(f"{path} changed while it was copied", remedy="add it again")
    return place


def _sha256(path: Path) -> str:
    with _opened(path) as file:
        return sha256_of(path, file)


def _check(
    path: Path, digest: str, weights: Weights, *, given: str | None = None, confirm: Confirm | None = None
) -> None:
    """Refuses a file of this hash unless it is the published one and somebody vouches for it; keeps the user's word."""
    if given and whole_hash(given) != digest:
        raise WeightsError(
            f"{path} has another SHA-256 than the given one", expected=given, found=digest, remedy="download it again"
        )
    # What the user says now counts for more than what the user said before, and never for more than the catalogue.
    known = weights.sha256 or ("" if given else trusted(weights.name))
    if digest == known and weights.agrees(path, digest):
        return
    if known or not weights.agrees(path, digest):
        pointer = git_lfs_pointer(path)
        again = f"delete it; {weights.remedy}" + ("" if weights.package else f", or download {weights.url} again")
        raise WeightsError(
            f"{path} is not the published file of the weights {weights.name}",
            expected=f"SHA-256 {known}" if known and not weights.sha256 else weights.promised,
            found=pointer or f"SHA-256 {digest}",
            remedy=LFS_REMEDY if pointer else again,
        )
    if not given and not (confirm and confirm(weights, digest)):
        raise WeightsError(
            f"nobody vouches for {path}: of the weights {weights.name} only {weights.promised} is published",
            expected="their whole SHA-256 from a source of yours, once",
            found=f"SHA-256 {digest}, which agrees with what is published",
            remedy=f"look the whole hash up, and `motioncopy weights fetch {weights.name} --sha256 HASH` (or `add FILE "
            "--sha256 HASH`), which downloads nothing twice",
        )
    trust(weights.name, digest)

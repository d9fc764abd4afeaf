"""The two Inceptions with random weights in the published format: no download is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from motioncopy.errors import WeightsError
from motioncopy.metrics.clip import Network
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.inception import (
    LOGITS_SIZE,
    POOL_SIZE,
    TF_WEIGHTS,
    TORCHVISION_WEIGHTS,
    InceptionTF,
    InceptionTorchvision,
    load_tf,
    load_torchvision,
)

State = dict[str, Tensor]
BOTH = frozenset(InceptionTF.outputs)


def random_state(classes: int) -> State:
    """Weights that neither let a signal die nor blow it up, under the published names."""
    with torch.device("meta"):
        shapes = torchvision.models.inception_v3(init_weights=False, num_classes=classes).state_dict()
    generator, state = torch.Generator().manual_seed(classes), {}
    for name, like in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
        elif like.ndim == 1:
            centre = 1.0 if name.endswith(("bn.weight", "running_var")) else 0.0
            state[name] = centre + 0.1 * torch.randn(like.shape, generator=generator)
        else:
            fan_in = like[0].numel()
            state[name] = torch.randn(like.shape, generator=generator) * (2 / fan_in) ** 0.5
    return state


@pytest.fixture(scope="module")
def tf_state() -> State:
    return {name: value for name, value in random_state(LOGITS_SIZE).items() if not name.startswith("AuxLogits")}


@pytest.fixture(scope="module")
def torchvision_state() -> State:
    return random_state(1000)


@pytest.fixture(scope="module")
def tf(tf_state: State) -> InceptionTF:
    return InceptionTF(lambda name: Network(tf_state, f"random {name}"), wanted=BOTH)


def frames(count: int, height: int = 96, width: int = 70) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator).to(torch.uint8)


def assert_alike(found: Tensor, expected: Tensor, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert (found - expected).norm() <= tolerance * expected.norm()


def tf1_resize(images: Tensor, side: int) -> Tensor:
    """Output pixel i looks at input position i * size / side, without an offset of half a pixel."""
    for dim in (2, 3):
        size = images.shape[dim]
        place = torch.arange(side) * size / side
        low = place.long()
        part = (place - low).view(-1, *[1] * (3 - dim))
        following = images.index_select(dim, (low + 1).clamp_max(size - 1))
        images = images.index_select(dim, low) * (1 - part) + following * part
    return images


class Poolings(SimpleNamespace):
    """What pytorch-fid changes in torchvision's blocks: borders do not count, the last block takes maxima."""

    def __getattr__(self, name: str) -> Any:
        return getattr(F, name)

    def avg_pool2d(self, x: Tensor, kernel_size: int, stride: int, padding: int) -> Tensor:
        if x.shape[1] == 2048:
            return F.max_pool2d(x, kernel_size, stride, padding)
        return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)


@pytest.fixture
def pytorch_fid(tf_state: State) -> Iterator[nn.Module]:
    network = torchvision.models.inception_v3(init_weights=False, num_classes=LOGITS_SIZE, aux_logits=False)
    network.load_state_dict(tf_state)
    network.fc = nn.Identity()
    with patch("torchvision.models.inception.F", Poolings()), torch.no_grad():
        yield network.eval()


def test_pool_and_logits_agree_with_pytorch_fid_s_definition(
    tf: InceptionTF, tf_state: State, pytorch_fid: nn.Module
) -> None:
    images = frames(2)
    pool = pytorch_fid((tf1_resize(images.float(), 299) - 128) / 128)
    found = tf.start().update(images)
    assert_alike(found["pool"], pool, 1e-4)
    assert_alike(found["logits"], pool @ tf_state["fc.weight"].T, 1e-4)
    assert not torch.allclose(found["pool"][0], found["pool"][1], rtol=1e-2)


def test_features_are_torch_fidelity_s(tf: InceptionTF, tf_state: State, tmp_path: Path) -> None:
    torch.save(tf_state, tmp_path / "weights.pth")
    reference = FeatureExtractorInceptionV3(
        "reference", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(tmp_path / "weights.pth")
    )
    images = frames(2, 299, 299)
    for found, expected in zip(tf.start().update(images).values(), reference(images), strict=True):
        assert_alike(found, expected, 1e-6)


@pytest.mark.parametrize("sizes", [[1] * 8, [3, 3, 2]])
def test_chunks_change_nothing(tf: InceptionTF, sizes: list[int]) -> None:
    images, stream = frames(8), tf.start()
    whole = tf.start().update(images)
    parts = [stream.update(part) for part in images.split(sizes)]
    for name, rows in whole.items():
        assert_alike(torch.cat([part[name] for part in parts]), rows, 1e-6)


def test_long_chunks_go_through_piece_by_piece(tf: InceptionTF) -> None:
    seen = []

    def look(images: Tensor) -> Mapping[str, Tensor]:
        seen.append(len(images))
        return {"pool": images[:, :1, 0, 0].float(), "logits": images[:, :1, 0, 0].float()}

    images = frames(100, 4, 4)
    with patch.object(tf, "_look", look), patch.object(tf, "sizes", {"pool": 1, "logits": 1}):
        found = tf.start().update(images)
    assert max(seen) <= 32
    assert torch.equal(found["pool"], images[:, :1, 0, 0].float())


def test_no_frames_have_no_rows(tf: InceptionTF) -> None:
    found = tf.start().update(frames(0))
    assert {name: tuple(rows.shape) for name, rows in found.items()} == {
        "pool": (0, POOL_SIZE),
        "logits": (0, LOGITS_SIZE),
    }


def test_only_what_is_wanted_is_given(tf_state: State) -> None:
    pool = InceptionTF(lambda name: Network(tf_state, name), wanted=frozenset({"pool"}))
    assert set(pool.start().update(frames(1))) == {"pool"}
    assert pool.identities == {TF_WEIGHTS: TF_WEIGHTS}


def test_torchvision_s_features_are_those_before_its_classifier(torchvision_state: State) -> None:
    extractor = InceptionTorchvision(
        lambda name: Network(torchvision_state, f"random {name}"), wanted=frozenset({"pool"})
    )
    network = torchvision.models.inception_v3(init_weights=False)
    network.load_state_dict(torchvision_state)
    pooled = []
    network.avgpool.register_forward_hook(lambda *args: pooled.append(args[2].flatten(1)))
    images = frames(3)
    with torch.no_grad():  # steps as in the evaluator: to [-1, 1], then the size, then the layers one by one
        scaled = images.float() / 255 * 2 - 1
        network.eval()(F.interpolate(scaled, size=(299, 299), mode="bilinear", align_corners=False))
    assert_alike(extractor.start().update(images)["pool"], pooled[0], 1e-4)
    one_by_one = [extractor.start().update(image)["pool"] for image in images.split(1)]
    assert_alike(torch.cat(one_by_one), pooled[0], 1e-4)
    assert extractor.identities == {TORCHVISION_WEIGHTS: f"random {TORCHVISION_WEIGHTS}"}


def test_networks_are_frozen_and_in_full_precision(tf: InceptionTF) -> None:
    network = tf._network
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        rough = tf.start().update(frames(1))
    assert rough["pool"].dtype == torch.float32
    assert_alike(rough["pool"], tf.start().update(frames(1))["pool"], 1e-6)
    assert not rough["pool"].requires_grad


def test_loading_leaves_the_random_numbers_of_training_alone(tf_state: State, torchvision_state: State) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    load_tf(tf_state)
    load_torchvision(torchvision_state)
    assert torch.equal(torch.rand(3), expected)


def test_the_auxiliary_classifier_and_batch_counts_may_be_missing(tf_state: State, torchvision_state: State) -> None:
    def fewer(state: State) -> State:
        return {k: v for k, v in state.items() if "AuxLogits" not in k and "num_batches_tracked" not in k}

    images = frames(1, 299, 299)
    floats = images / 127.5 - 1
    assert torch.equal(load_torchvision(fewer(torchvision_state))(floats), load_torchvision(torchvision_state)(floats))
    (found,), (expected,) = load_tf(fewer(tf_state))(images), load_tf(tf_state)(images)
    assert torch.equal(found, expected)


def test_weights_of_another_network_are_refused(tf_state: State, torchvision_state: State) -> None:
    with pytest.raises(WeightsError, match="no weights of this Inception"):
        load_tf(torchvision_state)
    with pytest.raises(WeightsError, match="no weights of this Inception"):
        load_torchvision(tf_state)
    with pytest.raises(WeightsError, match="no weights of this Inception"):
        load_tf({"fc.weight": torch.zeros(1)})


def test_the_evaluator_looks_once_for_all_metrics_and_names_the_weights(tf_state: State, tmp_path: Path) -> None:
    evaluator = Evaluator(
        ["fid/tf@1", "kid/tf@1", "is/logits@1"],
        folder=tmp_path,
        networks=lambda name: Network(tf_state, f"random {name}"),
        device="cpu",
    )
    clip = evaluator.clip("walk")
    with patch.object(InceptionTF, "update", autospec=True, side_effect=InceptionTF.update) as update:
        clip.update(frames(2), frames(2))
    clip.compute()
    assert update.call_count == 2
    assert evaluator.networks == {TF_WEIGHTS: f"random {TF_WEIGHTS}"}
    assert len(list(tmp_path.iterdir())) == 3  # pool of both sides, logits of the generated one
    values, reasons = evaluator.sets(["walk"])
    assert values == {}
    assert reasons == {
        "fid/tf@1": "it needs at least 2049 frames, and generated are 2",
        "kid/tf@1": "it needs at least 1000 frames, and generated are 2",
        "is/logits@1": "it needs at least 1000 frames, and generated are 2",
    }


def test_without_weights_the_metrics_are_missing_with_the_way_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("MOTIONCOPY_WEIGHTS", "TORCH_HOME", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    evaluator = Evaluator(["fid/tf@1", "fid/torchvision@1"])
    assert f"motioncopy weights fetch {TF_WEIGHTS}" in evaluator.missing["fid/tf@1"]
    assert f"motioncopy weights fetch {TORCHVISION_WEIGHTS}" in evaluator.missing["fid/torchvision@1"]

"""Face similarity: where faces are, how they are cut, and what counts, with random weights in the published format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datamodules.puppets.rendering import Performance, render
from motioncopy.errors import WeightsError
from motioncopy.metrics.clip import Chunk, Network
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.face_similarity import HEAD, LEAST, SHAPE, FaceSimilarity, cut, face_boxes, face_similarity
from motioncopy.metrics.scores import Score
from motioncopy.weights import entry
from tests.motioncopy.metrics.facenet_reference import published

KEY = "face_similarity/facenet_truth@1"
#: Nose, eyes, ears; the ears are 40 pixels apart, and the mean is (52, 52).
FACE = [(52.0, 60.0), (44.0, 48.0), (60.0, 48.0), (32.0, 52.0), (72.0, 52.0)]


def networks(name: str) -> Network:
    assert name == "facenet-vggface2"
    return Network(published(), "random, seed 0")


def joints(*, missing: int | None = None, scale: float = 1.0) -> Tensor:
    pose = torch.zeros(1, 25, 3)
    for joint, place in zip(HEAD, FACE, strict=True):
        pose[0, joint] = torch.tensor([scale * place[0], scale * place[1], 0.9])
    if missing is not None:
        pose[0, HEAD[missing], 2] = 0.4
    return pose


class Mean(nn.Module):
    """The mean colour: an embedding whose angles are known."""

    def forward(self, faces: Tensor) -> Tensor:
        assert faces.shape[1:] == (3, 160, 160)
        return faces.mean(dim=(2, 3))


def plain(*colour: int, n: int = 1) -> Tensor:
    return torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1).expand(n, 3, 128, 128).contiguous()


def test_a_face_is_as_large_as_its_head_and_centred_on_it() -> None:
    height, width = (40 * s for s in SHAPE)
    expected = [52 - width / 2, 52 - height / 2, 52 + width / 2, 52 + height / 2]
    assert face_boxes(joints())[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("missing", range(5))
def test_no_face_is_seen_where_a_joint_of_the_head_is_not(missing: int) -> None:
    assert face_boxes(joints(missing=missing)).isnan().all()


def test_a_face_needs_some_pixels() -> None:
    least = LEAST / (40 * SHAPE[0])
    assert face_boxes(joints(scale=0.99 * least)).isnan().all()
    assert face_boxes(joints(scale=1.01 * least)).isfinite().all()


def test_faces_are_cut_at_their_pixels() -> None:
    ramp = torch.arange(200, dtype=torch.uint8).expand(1, 3, 200, 200).contiguous()  # each column's value is its number
    face = cut(ramp, torch.tensor([[20.0, 30, 100, 110]]))[0, 0] * 128 + 127.5
    columns = 20 + (torch.arange(160) + 0.5) / 2  # 80 pixels stretched to 160
    torch.testing.assert_close(face, columns.expand(160, 160), atol=1e-3, rtol=0)
    half = cut(torch.full((1, 3, 60, 60), 255, dtype=torch.uint8), torch.tensor([[-40.5, 0, 39.5, 50]]))[0, 0]
    assert half[:, 82:].amin() == pytest.approx(127.5 / 128)
    assert half[:, :78].amax() == pytest.approx(-127.5 / 128)  # beyond the frame


def test_the_value_is_the_cosine_and_faces_that_are_not_seen_have_none() -> None:
    red, green = plain(255, 127, 127, n=3), plain(127, 255, 127, n=3)
    seen = face_boxes(torch.cat([joints(), joints(missing=0), joints()]))
    values = face_similarity(Mean(), red, green, seen)
    a, b = ((torch.tensor(c) - 127.5) / 128 for c in ([255.0, 127, 127], [127.0, 255, 127]))
    expected = (a @ b / a.norm() / b.norm()).item()
    assert values.dtype == torch.float64
    assert values[[0, 2]].tolist() == pytest.approx([expected] * 2, abs=1e-5)
    assert values[1].isnan()
    assert face_similarity(Mean(), red[:0], green[:0], seen[:0]).shape == (0,)


def puppet() -> Tensor:
    shots = [render(Performance("ana", "wave", 3, 40, 25.0, (320, 320)), i) for i in range(0, 30, 6)]
    return torch.from_numpy(np.stack([s.image for s in shots])).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator([KEY], networks=networks)


def scored(evaluator: Evaluator, generated: Tensor, truth: Tensor, chunk: int = 5) -> Score:
    clip = evaluator.clip("a")
    for parts in zip(generated.split(chunk), truth.split(chunk), strict=True):
        clip.update(*parts)
    return clip.compute().scores[KEY]


def test_equal_frames_are_perfect_and_a_spoilt_face_is_not(evaluator: Evaluator) -> None:
    truth = puppet()
    perfect = scored(evaluator, truth, truth)
    assert perfect.value == pytest.approx(1, abs=1e-12)
    assert (perfect.frames, perfect.skipped) == (5, 0)
    flat = truth.clone()
    flat[..., :160, :] = 90  # the head and more: the true frame says where to look, so that the frame still counts
    spoilt = scored(evaluator, flat, truth)
    assert spoilt.frames == 5
    assert (spoilt.value or 1) < 0.9999
    below = truth.clone()
    below[..., 200:, :] = 0
    assert scored(evaluator, below, truth).value == pytest.approx(1, abs=1e-12)


def test_chunks_do_not_change_it(evaluator: Evaluator) -> None:
    truth = puppet()
    noisy = (truth + 25 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255).byte()
    whole, apart = (scored(evaluator, noisy, truth, n).value for n in (5, 2))
    assert whole is not None
    assert apart == pytest.approx(whole, rel=1e-6)
    assert evaluator.networks["facenet-vggface2"] == "random, seed 0"


def test_a_video_without_a_face_has_no_value(evaluator: Evaluator) -> None:
    empty = plain(90, 90, 90, n=2)
    assert scored(evaluator, empty, empty) == Score(None, 0, 2)


def test_clips_that_cannot_have_it() -> None:
    metric = FaceSimilarity(networks=networks)
    video = plain(90, 90, 90, n=2)
    assert metric.unfit(Chunk(video)) == "the clip has no true frames"
    fish = Chunk(video, video, joints=torch.ones(2, 21, 3), skeleton="fish21")
    assert "fish21" in (metric.unfit(fish) or "")
    assert metric.unfit(Chunk(video, video)) is None


def test_without_weights_it_is_missing_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Network:
        raise WeightsError(f"the weights {name} are not on this machine")

    assert "facenet-vggface2" in Evaluator([KEY], networks=none).missing[KEY]
    file = tmp_path / entry("facenet-vggface2").file
    torch.save(published(), file)  # random weights under the published name
    monkeypatch.setenv("MOTIONCOPY_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="is not the published file"):
        FaceSimilarity()

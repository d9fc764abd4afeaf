"""FVD: windows, however a video is cut into chunks; the distance of stored clips."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.audit.references import references
from motioncopy.errors import WeightsError
from motioncopy.metrics import fvd
from motioncopy.metrics.clip import Network
from motioncopy.metrics.evaluator import Evaluator, score
from motioncopy.metrics.features import FeatureStore
from motioncopy.metrics.fvd import FVD16, FVD30, I3DWindows16, I3DWindows30, preprocess
from motioncopy.metrics.i3d import CLASSES
from tests.motioncopy.metrics.i3d_formats import network, provider, published


def video(frames: int, size: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.randint(0, 256, (frames, 3, size, size), generator=generator).to(torch.uint8)


class Fake(I3DWindows16):
    """Scores are the mean colours of a window's frames: they name the window, and cost nothing."""

    length = 4

    def scores(self, windows: Tensor) -> Tensor:
        means = windows.mean(dim=(3, 4)).flatten(1)
        return torch.nn.functional.pad(means, (0, CLASSES - means.shape[1]))


def rows(frames: Tensor, chunk: int, *wanted: str) -> dict[str, Tensor]:
    stream = Fake(provider, wanted=frozenset(wanted)).start()
    parts = [stream.update(part) for part in frames.split(chunk)]
    return {name: torch.cat([part[name] for part in parts]) for name in wanted}


def expected(frames: Tensor, step: int) -> Tensor:
    seen = preprocess(frames)
    windows = [seen[s : s + 4].transpose(0, 1) for s in range(0, len(seen) - 3, step)]
    return torch.stack([w.mean(dim=(2, 3)).flatten() for w in windows])


@pytest.mark.parametrize("chunk", [1, 3, 4, 8, 100])
@pytest.mark.parametrize("length", [4, 7, 8, 19])
def test_windows_do_not_depend_on_chunks(chunk: int, length: int) -> None:
    frames = video(length)
    both = rows(frames, chunk, "blocks", "sliding")
    torch.testing.assert_close(both["blocks"][:, :12], expected(frames, 4))
    torch.testing.assert_close(both["sliding"][:, :12], expected(frames, 1))
    for name in both:
        torch.testing.assert_close(rows(frames, chunk, name)[name], both[name])


def test_windows_are_computed_once_for_both_outputs() -> None:
    with patch.object(Fake, "scores", autospec=True, side_effect=Fake.scores) as scores:
        rows(video(19), 5, "blocks", "sliding")
    assert sum(len(call.args[1]) for call in scores.call_args_list) == 16


def test_a_video_shorter_than_a_window_has_no_row() -> None:
    assert rows(video(3), 2, "blocks")["blocks"].shape == (0, CLASSES)


def test_memory_does_not_grow_with_the_video() -> None:
    stream = Fake(provider, wanted=frozenset({"sliding"})).start()
    for _ in range(10):
        stream.update(video(6))
        assert len(stream._frames) == 3  # type: ignore[attr-defined]


def test_frames_are_resized_and_scaled() -> None:
    frames = torch.zeros(2, 3, 448, 112, dtype=torch.uint8)
    frames[1] = 255
    seen = preprocess(frames)
    assert seen.shape == (2, 3, 224, 224)
    assert seen[0].unique().tolist() == [-1]
    assert seen[1].unique().tolist() == [1]


def test_the_real_network_sees_the_windows() -> None:
    frames = video(17, 32)
    stream = I3DWindows16(provider, wanted=frozenset({"blocks"})).start()
    found = torch.cat([stream.update(part)["blocks"] for part in frames.split(5)])
    with torch.no_grad():
        wanted = network()(preprocess(frames[:16]).transpose(0, 1)[None])
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_windows_of_both_lengths_share_one_network() -> None:
    both = [kind(provider, wanted=frozenset({"blocks"})) for kind in (I3DWindows16, I3DWindows30)]
    assert both[0].network is both[1].network
    assert both[0].identities == {"i3d-kinetics-400": "random, seed 0"}


def test_the_second_conversion_serves_where_the_first_is_missing() -> None:
    def networks(name: str) -> Network:
        if name == fvd.WEIGHTS[0]:
            raise WeightsError("the first is not here")
        return Network(published("hassony2"), "another hash")

    extractor = I3DWindows16(networks, wanted=frozenset({"blocks"}))
    assert extractor.identities == {"i3d-kinetics-400-hassony2": "another hash"}


def test_without_weights_it_is_missing_with_the_way_to_get_them() -> None:
    def none(name: str) -> Network:
        raise WeightsError(f"the weights {name} are not here", remedy=f"fetch {name}")

    evaluator = Evaluator(["fvd/i3d_16@1", "fvd/i3d_30_sliding@1"], networks=none)
    assert set(evaluator.missing) == {"fvd/i3d_16@1", "fvd/i3d_30_sliding@1"}
    assert "fetch i3d-kinetics-400" in evaluator.missing["fvd/i3d_16@1"]


# -- the distance -----------------------------------------------------------------------------------------------------


def stored(folder: Path, generated: np.ndarray, real: np.ndarray, clips: int = 4) -> FeatureStore:
    store = FeatureStore(folder)
    for k in range(clips):
        writer = store.writer(str(k))
        writer.append(FVD16.output.id, "generated", torch.from_numpy(generated[k::clips]))
        writer.append(FVD16.output.id, "real", torch.from_numpy(real[k::clips]))
        writer.commit()
    return store


def test_it_follows_the_definition(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(CLASSES, CLASSES))
    x, y = random.normal(size=(900, CLASSES)) @ mixing, random.normal(size=(800, CLASSES)) @ mixing * 0.8 + 0.3
    x, y = x.astype(np.float32), y.astype(np.float32)
    found, _ = score(FVD16(), stored(tmp_path, x, y), list("0123"))
    assert found is not None
    assert found.value == pytest.approx(references()["fvd/i3d_16@1"].values(x.astype(float), y.astype(float)), rel=1e-6)
    assert (found.frames, found.clips) == (900, 4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_few_windows_are_served_exactly(tmp_path: Path) -> None:
    """20 windows span 19 of 400 directions; with all else equal to 0, the distance is that of the few numbers."""
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(20, 3)) * s for s in (1, 2))
    wide = [np.pad(v, ((0, 0), (0, CLASSES - 3))).astype(np.float32) for v in (x, y)]
    found, _ = score(FVD16(), stored(tmp_path, wide[0], wide[1]), list("0123"))
    assert found is not None
    assert found.value == pytest.approx(references()["fvd/i3d_16@1"].values(x, y), rel=1e-5)


def test_too_few_windows_are_refused(tmp_path: Path) -> None:
    x = np.zeros((15, CLASSES), np.float32)
    found, reason = score(FVD16(), stored(tmp_path, x, x), list("0123"))
    assert found is None
    assert reason == "it needs at least 16 windows, and generated are 15"
    assert FVD30.least == 16

"""Metrics over sets, and what clips share: stored features, real frames apart, one look for all metrics."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from motioncopy.errors import BatchError, MotionCopyError, WeightsError
from motioncopy.metrics.clip import Network
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.features import FeatureStore, Rows
from tests.motioncopy.metrics.toys import Colours, Means, Spread, toys


@pytest.fixture
def keys() -> Iterator[list[str]]:
    with toys() as names:
        yield names


def video(name: str, frames: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    return torch.randint(0, 256, (frames, 3, 8, 6), generator=generator).to(torch.uint8)


CLIPS = {"walk": 5, "a/jump": 3, "run": 8, "turn": 1, "bow": 6}


def scored(evaluator: Evaluator, names: list[str], chunk: int = 4) -> None:
    for name in names:
        clip = evaluator.clip(name)
        parts = video(name, CLIPS[name]).split(chunk), video(f"true {name}", CLIPS[name]).split(chunk)
        for generated, truth in zip(*parts, strict=True):
            clip.update(generated, truth)
        clip.compute()


def all_frames(prefix: str = "") -> Tensor:
    return torch.cat([video(prefix + name, CLIPS[name]) for name in sorted(CLIPS)])


def test_a_set_is_scored_over_all_clips_together(tmp_path: Path, keys: list[str]) -> None:
    evaluator = Evaluator(keys, folder=tmp_path)
    scored(evaluator, list(CLIPS))
    values, reasons = evaluator.sets(list(CLIPS))
    colours = values["colours/toy@1"]
    means = [t.double().mean(dim=(0, 2, 3)) for t in (all_frames(), all_frames("true "))]
    assert colours.value == pytest.approx((means[0] - means[1]).norm().item(), rel=1e-6)
    assert (colours.clips, colours.frames) == (5, 23)
    assert colours.low is not None
    assert colours.high is not None
    assert colours.low < colours.value < colours.high
    assert [n for n, _ in colours.curve] == [2, 5, 11, 23]
    assert colours.curve[-1][1] == colours.value
    assert values["spread/toy@1"].frames == 23 - 5  # pairs within clips
    assert values["spread/toy@1"].low is None
    assert reasons == {}


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_and_the_order_of_clips_change_nothing(tmp_path: Path, keys: list[str], chunk: int) -> None:
    one, other = Evaluator(keys, folder=tmp_path / "one"), Evaluator(keys, folder=tmp_path / "other")
    scored(one, list(CLIPS))
    scored(other, list(reversed(CLIPS)), chunk)
    for clip in CLIPS:
        for feature in ("means.colour", "means.pairs"):
            files = [e.store.path(clip, feature, "generated") for e in (one, other)]
            np.testing.assert_allclose(np.load(files[0]), np.load(files[1]), rtol=1e-6)
    assert one.sets(list(CLIPS))[0].keys() == other.sets(list(reversed(CLIPS)))[0].keys()


def test_each_frame_is_looked_at_once_for_all_metrics(keys: list[str]) -> None:
    evaluator = Evaluator(keys)
    scored(evaluator, ["run"])
    assert Means.looked == 2 * CLIPS["run"]  # the generated and the true ones


def test_too_few_samples_are_refused_with_their_number(keys: list[str]) -> None:
    evaluator = Evaluator(keys)
    scored(evaluator, ["a/jump"])
    values, reasons = evaluator.sets(["a/jump"])
    assert values == {}
    assert reasons["colours/toy@1"] == "it needs at least 4 frames, and generated are 3"
    assert reasons["spread/toy@1"] == "it needs at least 3 pairs, and generated are 2"


def test_real_frames_may_come_apart_and_be_others(keys: list[str]) -> None:
    evaluator = Evaluator(keys)
    clip = evaluator.clip("walk", real_apart=True)
    clip.update(video("walk", 5), video("true walk", 5))
    clip.update_real(video("flag", 4))
    clip.update_real(video("flag", 7)[4:])
    clip.compute()
    value = evaluator.sets(["walk"])[0]["colours/toy@1"].value
    means = [t.double().mean(dim=(0, 2, 3)) for t in (video("walk", 5), video("flag", 4), video("flag", 7)[4:])]
    assert value == pytest.approx((means[0] - (4 * means[1] + 3 * means[2]) / 7).norm().item(), rel=1e-6)
    with pytest.raises(BatchError, match="real_apart"):
        evaluator.clip("run").update_real(video("flag", 4))


def test_without_real_frames_only_what_needs_none_is_scored(keys: list[str]) -> None:
    evaluator = Evaluator(keys)
    clip = evaluator.clip("walk")
    clip.update(video("walk", 5))
    clip.compute()
    values, reasons = evaluator.sets(["walk"])
    assert list(values) == ["spread/toy@1"]
    assert reasons == {"colours/toy@1": "some clips have no real frames"}


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_a_metric_sees_the_frame_before_its_chunk(keys: list[str], chunk: int) -> None:
    clip = Evaluator(keys).clip("walk")
    frames = video("walk", 5)
    for part in frames.split(chunk):
        clip.update(part)
    jumps = clip.compute().values["jump/toy@1"]
    means = frames.double().mean(dim=(1, 2, 3))
    assert jumps[0] is None
    assert jumps[1:] == pytest.approx(means.diff().abs().tolist())


def test_what_a_clip_lacks_leaves_metrics_out_with_the_reason(keys: list[str]) -> None:
    clip = Evaluator(keys).clip("walk")
    clip.update(video("walk", 5), joints=torch.full((5, 25, 3), 0.5))
    scores = clip.compute()
    assert scores.scores["posed/toy@1"].value == 0.5
    assert scores.missing == {"large/toy@1": "the frames are smaller than 1000 pixels a side"}
    clip = Evaluator(keys).clip("walk")
    clip.update(video("walk", 5))
    assert clip.compute().missing["posed/toy@1"] == "the clip has no driving joints"


def test_a_discarded_clip_leaves_nothing(tmp_path: Path, keys: list[str]) -> None:
    clip = Evaluator(keys, folder=tmp_path).clip("walk")
    clip.update(video("walk", 5))
    assert list(tmp_path.iterdir())
    clip.discard()
    assert list(tmp_path.iterdir()) == []


def test_metrics_of_an_extractor_without_weights_are_missing(keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: Means, networks: object, **_: object) -> None:
        raise WeightsError("weights means are not here", remedy="put the file there")

    monkeypatch.setattr(Means, "__init__", start)
    evaluator = Evaluator(keys)
    assert set(evaluator.missing) == {"jump/toy@1", "colours/toy@1", "spread/toy@1"}
    assert "put the file there" in evaluator.missing["jump/toy@1"]


def test_networks_of_extractors_are_named(keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def network(name: str) -> Network:
        return Network({}, f"hash of {name}")

    original = Means.__init__

    def start(self: Means, networks: object, **rest: object) -> None:
        original(self, network, **rest)  # type: ignore[arg-type]
        self.identities = {"means": self.networks("means").identity}

    monkeypatch.setattr(Means, "__init__", start)
    assert Evaluator(keys).networks == {"means": "hash of means"}


def _share(rank: int, world: int, clips: list[str], folder: str) -> None:
    with toys() as keys:
        scored(Evaluator(keys, folder=Path(folder)), clips[rank::world], chunk=2 + rank)


@pytest.mark.ddp
@pytest.mark.parametrize(
    ("world", "count"), [(2, 5), pytest.param(3, 5, marks=pytest.mark.slow), (3, 2)]
)  # at last, one process has no clip
def test_processes_that_share_a_folder_give_the_values_of_one(
    tmp_path: Path, keys: list[str], world: int, count: int
) -> None:
    clips = list(CLIPS)[:count]
    alone, together = Evaluator(keys, folder=tmp_path / "1"), Evaluator(keys, folder=tmp_path / "n")
    scored(alone, clips)
    spawn(_share, (world, clips, str(tmp_path / "n")), nprocs=world)
    expected, found = alone.sets(clips), together.sets(clips)
    assert found[1] == expected[1] == {}
    for key, value in expected[0].items():
        assert found[0][key].value == pytest.approx(value.value, rel=1e-6)
        assert found[0][key].frames == value.frames


# -- the store --------------------------------------------------------------------------------------------------------


def stored(folder: Path) -> Rows:
    store = FeatureStore(folder)
    for clip, start, count in (("b", 3, 4), ("a", 0, 3), ("c", 7, 2)):
        writer = store.writer(clip)
        for k in range(start, start + count):
            writer.append("x", "generated", torch.tensor([[k, -k]]))
        assert writer.commit() == {"x.generated": count}
    rows = store.rows("x", "generated", ["c", "a", "b"])
    assert rows is not None
    return rows


def test_rows_stand_in_the_order_of_clip_ids(tmp_path: Path) -> None:
    rows = stored(tmp_path)
    assert (len(rows), rows.size, [part.clip for part in rows.parts]) == (9, 2, ["a", "b", "c"])
    np.testing.assert_array_equal(np.concatenate(list(rows.blocks(2)))[:, 0], np.arange(9))
    assert max(len(block) for block in rows.blocks(2)) == 2
    np.testing.assert_array_equal(rows.take(np.array([8, 0, 3, 3]))[:, 0], [8, 0, 3, 3])
    few = rows.only(np.array([1, 2, 7]))
    assert [part.clip for part in few.parts] == ["a", "c"]
    np.testing.assert_array_equal(np.concatenate(list(few.blocks()))[:, 0], [1, 2, 7])
    np.testing.assert_array_equal(few.take(np.array([2, 0]))[:, 0], [7, 1])
    np.testing.assert_array_equal(few.only(np.array([1])).take(np.array([0]))[:, 0], [2])
    np.testing.assert_array_equal(
        np.concatenate(list(rows.drawn(np.array([2, 0, 2])).blocks()))[:, 0], [7, 8, 0, 1, 2, 7, 8]
    )


def test_a_clip_of_no_rows_is_no_hindrance(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    writer = store.writer("short")
    writer.append("x", "generated", torch.empty(0, 2))
    writer.commit()
    rows = store.rows("x", "generated", ["short"])
    assert rows is not None
    assert len(rows) == 0


@pytest.mark.parametrize("rows", [torch.tensor([[torch.nan, 1.0]]), torch.zeros(3), torch.zeros(1, 3)])
def test_wrong_rows_are_refused(tmp_path: Path, rows: Tensor) -> None:
    writer = FeatureStore(tmp_path).writer("a")
    writer.append("x", "real", torch.zeros(2, 2))
    with pytest.raises(BatchError):
        writer.append("x", "real", rows)
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    stored(tmp_path)
    path = FeatureStore(tmp_path).path("b", "x", "generated")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(MotionCopyError, match=r"b\.x\.generated\.npy is damaged"):
        FeatureStore(tmp_path).rows("x", "generated", ["a", "b"])


@pytest.mark.parametrize(
    "damage", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'shape': (1, 1), }" + b" " * 80]
)
def test_what_is_no_file_of_the_store_is_not_read(tmp_path: Path, damage: bytes) -> None:
    stored(tmp_path)
    FeatureStore(tmp_path).path("b", "x", "generated").write_bytes(damage)
    with pytest.raises(MotionCopyError, match="is damaged"):
        FeatureStore(tmp_path).rows("x", "generated", ["a", "b"])


def test_descriptors_do_not_grow_with_the_clips(tmp_path: Path) -> None:
    store, names = FeatureStore(tmp_path), [f"{k:03}" for k in range(200)]
    for name in names:
        writer = store.writer(name)
        writer.append("x", "real", torch.zeros(2, 3))
        writer.commit()
    before = len(list(Path("/proc/self/fd").iterdir()))
    rows = store.rows("x", "real", names)
    assert rows is not None
    assert sum(map(len, rows.blocks(1))) == 400
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_names_that_no_file_system_takes_are_stored(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    names = ["x" * 250 + "a", "x" * 250 + "b", "a/b", "\udcff"]
    store = FeatureStore(folder)
    for k, name in enumerate(names):
        writer = store.writer(name)
        writer.append("means.colour", "generated", torch.full((1, 2), float(k)))
        writer.commit()
    rows = store.rows("means.colour", "generated", names)
    assert rows is not None
    assert [float(row[0, 0]) for row in rows.blocks()] == [float(names.index(name)) for name in sorted(names)]


def test_a_full_disk_leaves_no_features(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = FeatureStore(tmp_path).writer("a")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(MotionCopyError, match=r"a\.x\.real\.npy cannot be written\. .*Remedy: free some disk"):
            writer.append("x", "real", torch.zeros(1000, 30))  # too much to wait in a buffer
        writer.discard()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_toys_are_what_they_say() -> None:
    assert Colours.output.id == "means.colour"
    assert Spread.output.id == "means.pairs"

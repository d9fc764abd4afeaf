"""An ablation takes its network, its loss or its search away, and the rest still fits and generates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.bench.config_stack import ablations
from methods.fakemotion.foreground import ForegroundStage
from methods.fakemotion.method import FakeMotion
from methods.fakemotion.networks import TemporalDiscriminator
from motioncopy.batch import MotionBatch
from motioncopy.faces.search import FeatureSimilarity
from motioncopy.training import checkpoint
from motioncopy.training.local_gan import LocalStage
from tests.methods.fakemotion.test_stages import losses, run
from tests.methods.tiny import NOT_FOR, SIZE, tiny
from tests.toys import ToyData, write_clip

VARIANTS = ("paper", "released")
STAGES = {"paper": ["foreground", "local"], "released": ["foreground", "face", "fusion", "local"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ToyData:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder, "ann", size=SIZE)
    return ToyData(str(folder))


def build(variant: str, *overlays: str) -> FakeMotion:
    model = tiny("fakemotion", variant, *overlays)
    method = checkpoint.build(model["class_path"], model["init_args"])
    assert isinstance(method, FakeMotion)
    return method


def foreground(method: FakeMotion) -> ForegroundStage:
    stage = method.stages[0]
    assert isinstance(stage, ForegroundStage)
    return stage


def terms(method: FakeMotion, data: ToyData) -> set[str]:
    stage = foreground(method)
    windows = data.train_windows(stage.request)
    return set(losses(stage, stage.generate(MotionBatch.collate([windows[0], windows[5]]).as_float()))[0])


def networks(method: FakeMotion) -> set[str]:
    """The networks of the method and of its stages, two levels deep."""
    owners = {"method": method, **{s.name: s for s in method.stages}}
    return {".".join([owner, *name.split(".")[:2]]) for owner, m in owners.items() for name, _ in m.named_parameters()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_whole(variant: str, data: ToyData) -> None:
    method = build(variant)
    assert [s.name for s in method.stages] == STAGES[variant]
    assert {"foreground.discriminators.0", "foreground.discriminators.1"} <= networks(method)
    expected = {"paper": {"gromov_wasserstein", "mask", "l1"}, "released": {"wasserstein", "feature_matching", "l1"}}
    assert terms(method, data) == {"adversarial", "temporal"} | expected[variant]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_temporal(variant: str, data: ToyData) -> None:
    method = build(variant, "no_temporal")
    assert not any(isinstance(m, TemporalDiscriminator) for s in method.stages for m in s.modules())
    assert terms(method, data) == terms(build(variant), data) - {"temporal"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_local(variant: str) -> None:
    method = build(variant, "no_local")
    assert [s.name for s in method.stages] == STAGES[variant][:-1]
    assert networks(build(variant)) - networks(method) == {
        "method.local.refiners", "local.generator.refiners", *(f"local.discriminators.{k}" for k in range(5)),
    }  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_face(variant: str, data: ToyData) -> None:
    whole, method = build(variant), build(variant, "no_face")
    assert [s.name for s in method.stages] == STAGES[variant], "the released face network has a row of its own"
    whole.prepare(data)
    method.prepare(data)
    assert whole.context()
    assert method.face is None
    assert method.context() == {}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_dense_skips(variant: str) -> None:
    whole, method = build(variant).generator, build(variant, "no_dense_skips").generator
    dense = {"paper": "dense", "released": "skips"}[variant]
    assert {n.split(".")[0] for n, _ in whole.named_parameters()} - {
        n.split(".")[0] for n, _ in method.named_parameters()
    } == {dense}


def test_l2(data: ToyData) -> None:
    method = build("paper", "l2")
    assert terms(method, data) == terms(build("paper"), data) - {"gromov_wasserstein"} | {"l2"}
    assert method.feature_identity is None
    assert all(network.__class__.__name__ != "FeatureNetwork" for s in method.stages for network in s.upstream)


@pytest.mark.parametrize("variant", VARIANTS)
def test_image_feature(variant: str, data: ToyData) -> None:
    method = build(variant, "image_feature")
    assert method.face is not None
    assert isinstance(method.face.enhancer.similarity, FeatureSimilarity)
    method.prepare(data)
    assert method.face.gallery is not None
    features = method.face.gallery.views.features
    assert features is not None
    torch.testing.assert_close(features.norm(dim=1), torch.ones(len(features)))
    whole = build(variant)
    whole.prepare(data)
    assert whole.face is not None
    assert whole.face.gallery is not None
    assert whole.face.gallery.views.features is None


@pytest.mark.parametrize(("variant", "all_of_them"), [("paper", 5), ("released", 6)])
def test_candidates_and_vectors(variant: str, all_of_them: int) -> None:
    found = {}
    for overlays in ((), ("candidates_1", "vectors_2"), ("candidates_2", "vectors_3"), ("vectors_4",)):
        face = build(variant, *overlays).face
        assert face is not None
        similarity: Any = face.enhancer.similarity
        found[overlays] = (face.enhancer.candidates, similarity.vectors)
    assert list(found.values()) == [(3, all_of_them), (1, 2), (2, 3), (3, 4)]


def test_stabilised_adds_pixel_losses() -> None:
    for variant in VARIANTS:
        stage = build(variant, "stabilised").stages[-1]
        assert isinstance(stage, LocalStage)
        assert stage.config.losses.l1 > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "overlay"),
    [(v, o) for v in VARIANTS for o in ablations("fakemotion") if (v, o) not in NOT_FOR],
)
def test_every_ablation_fits_and_generates(variant: str, overlay: str, data: ToyData, tmp_path: Path) -> None:
    clips = {"class_path": "tests.toys.ToyData", "init_args": {"root": str(data.root)}}
    run(tmp_path / "run", tiny("fakemotion", variant, overlay), clips, "fit", "test")
    assert (tmp_path / "run/outputs/toy@1-test/summary.json").is_file()

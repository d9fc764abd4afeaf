"""FakeMotion: the pipeline from driving poses to frames, and the stages that train it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from methods.fakemotion.face import FaceGallery
from methods.fakemotion.foreground import ForegroundStage
from methods.fakemotion.fusing import FusionStage, Layers
from methods.fakemotion.generator import DenseUNet
from methods.fakemotion.labels import Label, StickWindow
from methods.fakemotion.local import PartStage, Render
from methods.fakemotion.painting import FacePainter, LearnedFusion, MaskFusion, PartPainter
from methods.fakemotion.temporal import TemporalCritic
from methods.fakemotion.training import (
    FaceSearch,
    ForegroundLosses,
    FusionGAN,
    GromovWasserstein,
    PartGANs,
    Schedule,
    Wasserstein,
)
from motioncopy.batch import Appearance, Motion, MotionBatch
from motioncopy.errors import CheckpointError, ConfigError
from motioncopy.losses.adversarial import AdversarialLoss, NonSaturating
from motioncopy.method import Method, Stage
from motioncopy.nets.discriminators import MultiScaleDiscriminator
from motioncopy.nets.features import FeatureNetwork
from motioncopy.request import Crop, DataRequest, Regime, TrainingData


@dataclass(frozen=True)
class _State:
    """Between two steps: the place, and the (filled) driving frames that are still needed."""

    background: Tensor
    pending: Motion | None


class FakeMotion(Method[_State]):
    """One model a person: pose to foreground, face and parts enhanced, fused with the background.

    Args:
        image_size: (height, width) in pixels.
        crop: See :data:`motioncopy.request.Crop`.
        normalisation: See :mod:`motioncopy.poses.normalise` (the paper has none).
        label: Draws the poses for the generator.
        generator: From labels to a foreground; with a fourth channel, to a mask as well.
        quality: D_q.
        temporal: D_t, or ``None`` for none.
        gan: The form of the adversarial losses.
        features: The feature network of all feature losses, or ``None`` if there are none.
        losses: Weights of the foreground stage.
        gromov_wasserstein: The Gromov-Wasserstein term of the foreground stage; by default the paper's where there
            are features, else none.
        wasserstein: The transport term of the foreground stage (released code).
        schedule: Of the foreground stage.
        face: The face enhancement, or ``None`` for none.
        face_gan: The released code's face enhancer, trained on enhanced faces, or ``None``.
        fusion: A learned fusion, or ``None`` for equation 12.
        local: The five local GANs, or ``None`` for none.

    Raises:
        ConfigError: If the parts do not fit together.
    """

    regime: Regime = "personal"  # type: ignore[misc]

    def __init__(
        self,
        *,
        image_size: tuple[int, int] = (512, 512),
        crop: Crop = "frame",
        normalisation: str = "edn",
        label: Label | None = None,
        generator: nn.Module | None = None,
        quality: nn.Module | None = None,
        temporal: TemporalCritic | None = None,
        gan: AdversarialLoss | None = None,
        features: FeatureNetwork | None = None,
        losses: ForegroundLosses | None = None,
        gromov_wasserstein: GromovWasserstein | None = None,
        wasserstein: Wasserstein | None = None,
        schedule: Schedule | None = None,
        face: FaceSearch | None = None,
        face_gan: PartGANs | None = None,
        fusion: FusionGAN | None = None,
        local: PartGANs | None = None,
    ) -> None:
        super().__init__(request=DataRequest(1, (image_size[0], image_size[1]), crop=crop), normalisation=normalisation)
        self.label = label or StickWindow()
        self.generator = generator or DenseUNet(self.label.channels * self.label.window, 4)
        self.fusion = LearnedFusion(fusion.network) if fusion is not None else MaskFusion()
        self.face_refiner = _painter(face_gan, parts=("face",))
        self.local = _painter(local)
        self.face = (
            FacePainter(face.enhancer, size=face.size, describe=features if face.by_image else None) if face else None
        )
        if face is not None and face.by_image and features is None:
            raise ConfigError("a face search by image features needs features", remedy="set model.init_args.features")
        self.feature_identity = features.identity() if features is not None else None
        self._local_on_frame = local.on_frame if local is not None else False
        # What only training needs is not registered: it is in no checkpoint of the method.
        self._training: dict[str, Any] = {
            "quality": quality,
            "temporal": temporal,
            "gan": gan or NonSaturating(),
            "features": features,
            "losses": losses or ForegroundLosses(),
            "gromov_wasserstein": gromov_wasserstein or GromovWasserstein(weight=10.0 if features else 0.0),
            "wasserstein": wasserstein or Wasserstein(),
            "schedule": schedule or Schedule(),
        }
        self._configs = (face_gan, fusion, local)
        _check_layers(
            features,
            gromov_wasserstein=self._training["gromov_wasserstein"],
            wasserstein=self._training["wasserstein"],
            **{
                f"{name}.wasserstein": replace(gan.wasserstein, weight=gan.losses.wasserstein)
                for name, gan in (("face_gan", face_gan), ("fusion", fusion), ("local", local))
                if gan is not None
            },
        )

    # -- training -------------------------------------------------------------------------------------------------

    @property
    def stages(self) -> Sequence[Stage]:
        """Foreground; then, where they exist, the face's GAN, the learned fusion, and the local GANs."""
        return self._stages

    @cached_property
    def _stages(self) -> list[Stage]:
        training = dict(self._training)
        quality = training.pop("quality") or MultiScaleDiscriminator(self.label.channels + 3)
        shared: dict[str, Any] = {
            "image_size": self.request.image_size,
            "crop": self.request.crop,
            "gan": training.pop("gan"),
            "features": training.pop("features"),
        }
        drawn = ["image_size", "crop", "label", "generator"]
        weights = ["gan", "features", "quality", *training]
        keys = [*drawn, *weights]
        stages: list[Stage] = [
            ForegroundStage(
                self.generator, self.label, quality=quality, config_keys=keys, share=6, **training, **shared
            )
        ]
        shared |= {"before": self.label.before, "after": self.label.after}
        upstream: list[nn.Module] = [self.generator]
        keys = [*drawn, "face", "features", "gan"]
        face_gan, fusion, local = self._configs
        if face_gan is not None and self.face_refiner is not None:
            keys.append("face_gan")
            stages.append(
                _part_stage("face", self.face_refiner, face_gan, self._render_faces, stages, keys, upstream, shared)
            )
            upstream.append(self.face_refiner)
        if fusion is not None and isinstance(self.fusion, LearnedFusion):
            keys.append("fusion")
            stages.append(
                FusionStage(
                    self.fusion,
                    discriminator=fusion.discriminator,
                    render=self._render_layers,
                    losses=fusion.losses,
                    wasserstein=fusion.wasserstein,
                    schedule=fusion.schedule,
                    config_keys=list(keys),
                    depends=[s.name for s in stages],
                    upstream=list(upstream),
                    share=2,
                    **shared,
                )
            )
            upstream.append(self.fusion)
        if local is not None and self.local is not None:
            keys.append("local")
            stages.append(_part_stage("local", self.local, local, self._render_parts, stages, keys, upstream, shared))
        return stages

    def prepare(self, data: TrainingData) -> None:
        """Besides the subject and the reference pose, collects the gallery of real faces."""
        super().prepare(data)
        if self.face is None:
            return
        windows = data.train_windows(DataRequest(1, self.request.image_size, crop=self.request.crop))
        faces, views, frames = [], [], []
        clips: list[str] = []
        for k in range(len(windows)):
            batch = windows[k].as_float()
            found, seen_views, _, seen = self.face.look((batch.images * batch.mask)[:, 0], batch.motion)
            if seen.any():
                faces.append(found)
                views.append(seen_views)
                frames.append(batch.frames[:, 0])
                clips += batch.clip
        if faces:
            gallery = FaceGallery.build(torch.cat(faces), type(views[0]).join(views), torch.cat(frames), clips)
            self.face.gallery = gallery

    def context(self) -> dict[str, Any]:
        """The gallery of real faces."""
        if self.face is None or self.face.gallery is None:
            return {}
        return {"gallery": self.face.gallery.state()}

    def load_context(self, context: dict[str, Any]) -> None:
        """Takes the gallery back."""
        known = {"gallery"} if self.face is not None else set()
        if unknown := context.keys() - known:
            what = "not the context of FakeMotion" if known else "this configuration has no face enhancement"
            raise CheckpointError(what, found=", ".join(sorted(unknown)))
        if self.face is None:
            return
        self.face.gallery = FaceGallery.from_state(context["gallery"]) if "gallery" in context else None

    # -- painting -------------------------------------------------------------------------------------------------

    def _foreground(
        self, labels: Tensor, motion: Motion, exclude: tuple[Sequence[str], Tensor] | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Foregrounds ``(N, 3, H, W)`` with enhanced faces, and their masks ``(N, 1, H, W)``."""
        output = self.generator(labels)
        foreground = output[:, :3]
        if self.face is not None:
            foreground = self.face(foreground, motion, exclude)
        return foreground, output[:, 3:].sigmoid() if output.shape[1] > 3 else None

    def _paint(
        self,
        labels: Tensor,
        drawing: Tensor,
        motion: Motion,
        background: Tensor,
        *,
        local: PartPainter | None,
        exclude: tuple[Sequence[str], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The foreground and the fused frame; ``local`` refines whichever of the two it works on."""
        foreground, mask = self._foreground(labels, motion, exclude)
        if self.face_refiner is not None:
            foreground = self.face_refiner(foreground, motion)
        if local is not None and not self._local_on_frame:
            foreground = local(foreground, motion)
        frame = self.fusion(foreground, mask, background, drawing)
        if local is not None and self._local_on_frame:
            frame = local(frame, motion)
        return foreground, frame

    def _see(self, batch: MotionBatch) -> tuple[Tensor, Tensor, Motion, tuple[Sequence[str], Tensor]]:
        """Labels, drawings, driving frame and whereabouts of a batch of windows around one frame each."""
        before = self.label.before
        motion = self.label.fill(batch.motion)
        drawings = self.label.draw(motion)
        whereabouts = (batch.clip, batch.frames[:, before])
        stacked, centre = self.label.stack(drawings)[:, 0], self.label.centre(drawings)[:, 0]
        return stacked, centre, motion.frames(before, before + 1), whereabouts

    def _render_faces(self, batch: MotionBatch) -> tuple[Tensor, Tensor]:
        labels, _, motion, whereabouts = self._see(batch)
        before = self.label.before
        foreground, _ = self._foreground(labels, motion, whereabouts)
        return foreground, (batch.images * batch.mask)[:, before]

    def _render_layers(self, batch: MotionBatch) -> Layers:
        labels, drawing, motion, whereabouts = self._see(batch)
        foreground, _ = self._foreground(labels, motion, whereabouts)
        if self.face_refiner is not None:
            foreground = self.face_refiner(foreground, motion)
        return Layers(foreground, batch.appearance.background, drawing, batch.images[:, self.label.before])

    def _render_parts(self, batch: MotionBatch) -> tuple[Tensor, Tensor]:
        labels, drawing, motion, whereabouts = self._see(batch)
        before = self.label.before
        foreground, frame = self._paint(
            labels, drawing, motion, batch.appearance.background, local=None, exclude=whereabouts
        )
        if self._local_on_frame:
            return frame, batch.images[:, before]
        return foreground, (batch.images * batch.mask)[:, before]

    # -- generation -----------------------------------------------------------------------------------------------

    def start(self, appearance: Appearance) -> _State:
        """The place; the person is in the parameters."""
        self.check_person(appearance)
        return _State(appearance.background, None)

    def step(self, state: _State, motion: Motion) -> tuple[Tensor, _State]:
        """Paints all frames whose neighbours are known; the first frame stands before itself."""
        before, after = self.label.before, self.label.after
        if state.pending is None:
            first = motion.frames(0, 1)
            for _ in range(before):
                motion = first.then(motion)
        else:
            motion = state.pending.then(motion)
        motion = self.label.fill(motion)
        kept = motion.frames(max(0, len(motion) - before - after), len(motion))
        count = len(motion) - before - after
        if count <= 0:
            return state.background.new_zeros(0, *state.background.shape[1:]), _State(state.background, motion)
        drawings = self.label.draw(motion)
        labels, centre = self.label.stack(drawings)[0], self.label.centre(drawings)[0]
        driving = motion.frames(before, before + count)
        background = state.background.expand(count, -1, -1, -1)
        _, frames = self._paint(labels, centre, driving, background, local=self.local)
        return frames.float(), _State(state.background, kept)

    def finish(self, state: _State) -> Tensor | None:
        """The last frames; the last one stands behind itself."""
        if state.pending is None or self.label.after == 0:
            return None
        last = state.pending.frames(len(state.pending) - 1, len(state.pending))
        end = last
        for _ in range(self.label.after - 1):
            end = end.then(last)
        frames, _ = self.step(state, end)
        return frames


def _check_layers(features: FeatureNetwork | None, **terms: GromovWasserstein | Wasserstein) -> None:
    """Refuses a term of features that the network does not give."""
    known = features.layers if features is not None else ()
    for name, term in terms.items():
        if term.weight and term.layer not in known:
            raise ConfigError(
                f"{name} has a weight, and its features are not there",
                expected=f"layer {term.layer}",
                found=", ".join(known) or "no feature network",
                remedy="set model.init_args.features and its layers, or the weight to 0",
            )


def _part_stage(
    name: str,
    painter: PartPainter,
    gans: PartGANs,
    render: Render,
    earlier: Sequence[Stage],
    keys: Sequence[str],
    upstream: Sequence[nn.Module],
    shared: dict[str, Any],
) -> PartStage:
    return PartStage(
        name,
        painter,
        discriminator=gans.discriminator,
        render=render,
        losses=gans.losses,
        perceptual=gans.perceptual,
        wasserstein=gans.wasserstein,
        schedule=gans.schedule,
        config_keys=list(keys),
        depends=[s.name for s in earlier],
        upstream=list(upstream),
        **shared,
    )


def _painter(gans: PartGANs | None, **kwargs: Any) -> PartPainter | None:
    if gans is None:
        return None
    return PartPainter(gans.refiner, size=gans.size, soft_edge=gans.soft_edge, **kwargs)

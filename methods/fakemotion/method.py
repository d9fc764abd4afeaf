"""FakeMotion: the pipeline from driving poses to frames, and the stages that train it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from methods.fakemotion.foreground import ForegroundGAN, ForegroundStage
from motioncopy import crops
from motioncopy.batch import Appearance, Motion, MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.faces.enhancement import FaceEnhancement, FaceSearch
from motioncopy.losses.adversarial import AdversarialLoss, NonSaturating
from motioncopy.method import Method, Stage
from motioncopy.nets.blocks import DenseUNet
from motioncopy.nets.discriminators import MultiScaleDiscriminator
from motioncopy.nets.features import FeatureNetwork
from motioncopy.nets.fusion import LearnedFusion, lay_over
from motioncopy.nets.parts import LocalRefiners
from motioncopy.poses.windows import PoseInput, StickWindow
from motioncopy.request import Crop, DataRequest, Regime, TrainingData
from motioncopy.training.fusion_gan import FusionGAN, FusionInputs, FusionStage
from motioncopy.training.gan import GANConfig, GANStage
from motioncopy.training.local_gan import LocalGAN, LocalStage


@dataclass(frozen=True)
class _State:
    """Between two steps: the place, and the (filled) driving frames that are still needed."""

    appearance: Appearance
    pending: Motion | None


@dataclass(frozen=True)
class _Inputs:
    """What N frames are generated from.

    Attributes:
        stacked: ``(N, C, H, W)``, the generator's input.
        pose: ``(N, c, H, W)``, each frame's own pose, drawn.
        motion: The driving frames.
        exclude: Clip ids and frame numbers of training frames, whose own faces may not be blended in.
    """

    stacked: Tensor
    pose: Tensor
    motion: Motion
    exclude: tuple[Sequence[str], Tensor] | None = None


class FakeMotion(Method[_State]):
    """One model a person: pose to foreground, face and parts enhanced, fused with the background.

    Args:
        image_size: (height, width) in pixels.
        crop: See :data:`motioncopy.request.Crop`.
        normalisation: See :mod:`motioncopy.poses.normalise` (the paper has none).
        pose: Draws the poses for the generator.
        foreground: The foreground GAN.
        gan: The form of the adversarial losses.
        features: The feature network of all feature losses, or ``None`` if there are none.
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
        pose: PoseInput | None = None,
        foreground: ForegroundGAN | None = None,
        gan: AdversarialLoss | None = None,
        features: FeatureNetwork | None = None,
        face: FaceSearch | None = None,
        face_gan: LocalGAN | None = None,
        fusion: FusionGAN | None = None,
        local: LocalGAN | None = None,
    ) -> None:
        super().__init__(request=DataRequest(1, (image_size[0], image_size[1]), crop=crop), normalisation=normalisation)
        self.pose = pose = pose or StickWindow()
        foreground = foreground or ForegroundGAN(
            DenseUNet(pose.channels * pose.window, 4), MultiScaleDiscriminator(pose.channels + 3)
        )
        _check_features(features, foreground=foreground, face_gan=face_gan, fusion=fusion, local=local)
        self.generator = foreground.generator
        self.fusion = LearnedFusion(fusion.generator) if fusion is not None else None
        self.face_refiner = _refiners(face_gan, parts=("face",))
        self.local = _refiners(local)
        self.face = FaceEnhancement(face, features) if face is not None else None
        self.feature_identity = features.identity() if features is not None else None
        # What only training needs is not registered: it is in no checkpoint of the method.
        self._gans = (foreground, face_gan, fusion, local)
        self._shared = {"gan": gan or NonSaturating(), "features": features}
        self._face = face

    # -- training -------------------------------------------------------------------------------------------------

    @cached_property
    def stages(self) -> Sequence[Stage]:
        """Foreground; then, where they exist, the face's GAN, the learned fusion, and the local GANs."""
        foreground, face_gan, fusion, local = self._gans
        shared: dict[str, Any] = self._shared
        stages: list[GANStage[Any]] = [ForegroundStage(self.request, pose=self.pose, foreground=foreground, **shared)]
        shared = {**shared, "face": self._face}
        # What the later stages are trained on is generated from windows around one frame.
        request = replace(self.request, window=self.pose.window, pad=self.pose.before)
        if face_gan is not None and self.face_refiner is not None:
            stages.append(
                LocalStage("face", self.face_refiner, self._render_faces, request, stages, face_gan=face_gan, **shared)
            )
        if fusion is not None and self.fusion is not None:
            stages.append(FusionStage(self.fusion, self._render_foreground, request, stages, fusion=fusion, **shared))
        if local is not None and self.local is not None:
            stages.append(LocalStage("local", self.local, self._render_parts, request, stages, local=local, **shared))
        return stages

    def prepare(self, data: TrainingData) -> None:
        """Besides the subject and the reference pose, collects the gallery of real faces."""
        super().prepare(data)
        if self.face is not None:
            self.face.collect(data, self.request)

    def context(self) -> dict[str, Any]:
        """The gallery of real faces."""
        return self.face.context() if self.face is not None else {}

    def load_context(self, context: dict[str, Any]) -> None:
        """Takes the gallery back."""
        if self.face is not None:
            self.face.load_context(context)
        else:
            super().load_context(context)

    # -- from poses to frames -------------------------------------------------------------------------------------

    def _foreground(self, inputs: _Inputs) -> tuple[Tensor, Tensor | None]:
        """Foregrounds ``(N, 3, H, W)`` with real faces blended in, and their masks ``(N, 1, H, W)``."""
        output = self.generator(inputs.stacked)
        foreground = output[:, :3]
        if self.face is not None:
            foreground = self.face(foreground, inputs.motion, inputs.exclude)
        return foreground, output[:, 3:].sigmoid() if output.shape[1] > 3 else None

    def _refined(self, inputs: _Inputs) -> tuple[Tensor, Tensor | None]:
        """The same, after the face's GAN."""
        foreground, mask = self._foreground(inputs)
        if self.face_refiner is not None:
            foreground = self.face_refiner(foreground, inputs.motion)
        return foreground, mask

    def _drawn(self, inputs: _Inputs, background: Tensor) -> Tensor:
        """Person and mask ``(N, 4, H, W)``, or, where a network sees the background, whole frames ``(N, 3, H, W)``.

        The local GANs refine the foreground or the fused frame.
        """
        foreground, mask = self._refined(inputs)
        if self.local is not None and not self._on_frame:
            foreground = self.local(foreground, inputs.motion)
        if mask is not None and self.fusion is None and not self._on_frame:
            return torch.cat((mask * foreground, mask), dim=1)
        frame = self._fused(foreground, mask, background, inputs)
        return self.local(frame, inputs.motion) if self.local is not None and self._on_frame else frame

    def _fused(self, foreground: Tensor, mask: Tensor | None, background: Tensor, inputs: _Inputs) -> Tensor:
        if self.fusion is not None:
            frame: Tensor = self.fusion(inputs.pose, background, foreground)
            return frame
        assert mask is not None, "equation 12 needs a generator with a fourth output channel"
        return lay_over(foreground, mask, background)

    @property
    def _on_frame(self) -> bool:
        *_, local = self._gans
        return local is not None and local.on_frame

    def _inputs(self, batch: MotionBatch) -> _Inputs:
        """Of a batch of windows around one frame each."""
        before = self.pose.before
        motion = self.pose.fill(batch.motion)
        stacked, pose = self.pose.inputs(motion)
        return _Inputs(
            stacked[:, 0],
            pose[:, 0],
            motion.frames(before, before + 1),
            (batch.clip, batch.frames[:, before]),
        )

    def _render_faces(self, batch: MotionBatch) -> tuple[Tensor, Tensor]:
        return self._foreground(self._inputs(batch))[0], (batch.images * batch.mask)[:, self.pose.before]

    def _render_foreground(self, batch: MotionBatch) -> FusionInputs:
        inputs = self._inputs(batch)
        foreground, _ = self._refined(inputs)
        return FusionInputs(foreground, batch.appearance.background, inputs.pose, batch.images[:, self.pose.before])

    def _render_parts(self, batch: MotionBatch) -> tuple[Tensor, Tensor]:
        inputs, before = self._inputs(batch), self.pose.before
        foreground, mask = self._refined(inputs)
        if not self._on_frame:
            return foreground, (batch.images * batch.mask)[:, before]
        return self._fused(foreground, mask, batch.appearance.background, inputs), batch.images[:, before]

    # -- generation -----------------------------------------------------------------------------------------------

    def start(self, appearance: Appearance) -> _State:
        """The place; the person is in the parameters."""
        self.check_person(appearance)
        return _State(appearance, None)

    def step(self, state: _State, motion: Motion) -> tuple[Tensor, _State]:
        """Generates all frames whose neighbours are known; the first frame stands before itself."""
        before, after = self.pose.before, self.pose.after
        if state.pending is None:
            first = motion.frames(0, 1)
            for _ in range(before):
                motion = first.then(motion)
        else:
            motion = state.pending.then(motion)
        motion = self.pose.fill(motion)
        kept = motion.frames(max(0, len(motion) - before - after), len(motion))
        count = len(motion) - before - after
        if count <= 0:
            return state.appearance.background[:0], _State(state.appearance, motion)
        driving = motion.frames(before, before + count)
        (stacked,), (pose,) = self.pose.inputs(motion)
        drawn = self._drawn(_Inputs(stacked, pose, driving), crops.behind(state.appearance, driving))
        return drawn.float(), _State(state.appearance, kept)

    def finish(self, state: _State) -> Tensor | None:
        """The last frames; the last one stands behind itself."""
        if state.pending is None or self.pose.after == 0:
            return None
        last = state.pending.frames(len(state.pending) - 1, len(state.pending))
        end = last
        for _ in range(self.pose.after - 1):
            end = end.then(last)
        frames, _ = self.step(state, end)
        return frames


def _check_features(features: FeatureNetwork | None, **gans: GANConfig | None) -> None:
    """Refuses transport terms that need features that the network does not give."""
    known = features.layers if features is not None else ()
    terms = [(key, gan, term) for key, gan in gans.items() if gan for term in ("gromov_wasserstein", "wasserstein")]
    for key, gan, term in terms:
        if getattr(gan.losses, term, 0.0) and (layer := getattr(gan, term).layer) not in known:
            raise ConfigError(
                f"{key}.losses.{term} has a weight, and its features are not there",
                expected=f"layer {layer}",
                found=", ".join(known) or "no feature network",
                remedy="set model.init_args.features and its layers, or the weight to 0",
            )


def _refiners(gan: LocalGAN | None, **options: Any) -> LocalRefiners | None:
    return None if gan is None else LocalRefiners(gan.generator, size=gan.size, soft_edge=gan.soft_edge, **options)

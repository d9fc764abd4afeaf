"""EDN: a generator that sees the frame before, and a face generator on top of it; a stage each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from motioncopy import crops
from motioncopy.batch import Appearance, Motion, MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.losses.adversarial import AdversarialLoss, LeastSquares
from motioncopy.losses.perceptual import FeatureLoss
from motioncopy.method import Method, Stage
from motioncopy.nets.blocks import GlobalGenerator, Refiner, check_size
from motioncopy.nets.parts import FaceRefiner
from motioncopy.poses.sticks import draw_motion_sticks
from motioncopy.request import Crop, DataRequest, Regime
from motioncopy.training import pose_to_frame
from motioncopy.training.gan import Chunk, Comparison, Rollout, SequenceGANStage
from motioncopy.training.pose_to_frame import FeatureLosses, Pair, PoseToFrameGAN, PoseToFrameStage
from motioncopy.training.schedule import SequenceSchedule


@dataclass(frozen=True)
class SequenceGAN(PoseToFrameGAN):
    """The generator of whole frames, from sticks and the frame before (6 channels), and its training.

    The discriminator sees two poses and their two frames, 12 channels.
    """

    generator: GlobalGenerator
    losses: FeatureLosses = field(default_factory=FeatureLosses)
    schedule: SequenceSchedule = field(default_factory=lambda: SequenceSchedule(frames=2, chunk=2))


@dataclass(frozen=True)
class FaceGAN(PoseToFrameGAN):
    """The face generator, from the face's sticks and image (6 channels), and its training on generated sequences.

    The discriminator sees the face's sticks and image, 6 channels. There is one update a sequence, whatever its chunks.

    Attributes:
        size: Side of the square around the face in pixels.
    """

    generator: Refiner
    losses: FeatureLosses = field(default_factory=lambda: FeatureLosses(feature_matching=0.0))
    schedule: SequenceSchedule = field(default_factory=lambda: SequenceSchedule(frames=2, chunk=2))
    size: int = 128


@dataclass(kw_only=True)
class Sequences(Rollout):
    """A batch of sequences while it is generated; of each frame ``(B, 3, H, W)`` in [-1, 1]."""

    sticks: Sequence[Tensor]
    real: Sequence[Tensor]

    def inputs(self, t: int) -> Tensor:
        """What frame t is generated from, ``(B, 6, H, W)``; before the first frame are zeros ("Temporal smoothing")."""
        previous = self.generated[t - 1] if t else torch.zeros_like(self.sticks[t])
        return torch.cat((self.sticks[t], previous), dim=1)


class SequenceStage(SequenceGANStage[Sequences]):
    """Trains the generator of whole frames ("Temporal smoothing"; the paper's sequences have two frames).

    Args:
        request: Image size and crop.
        frame: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        perceptual: The perceptual term, or ``None``.

    Raises:
        ConfigError: If sequences have fewer than two frames, or the perceptual term has a weight and no network.
    """

    def __init__(
        self, request: DataRequest, *, frame: SequenceGAN, gan: AdversarialLoss, perceptual: FeatureLoss | None
    ) -> None:
        if (frames := frame.schedule.frames) < 2:
            raise ConfigError(
                "EDN's discriminator sees two frames", expected="frame.schedule.frames >= 2", found=frames
            )
        fixed = pose_to_frame.perceptual_network("frame", frame.losses, perceptual)
        super().__init__("frame", frame, gan, request, fixed=fixed, share=3)

    def init_state(self, batch: MotionBatch) -> Sequences:
        """See :class:`motioncopy.training.gan.SequenceGANStage`."""
        return Sequences(sticks=draw_motion_sticks(batch.motion).unbind(1), real=batch.images.unbind(1))

    def generate(self, state: Sequences, t: int) -> None:
        """Frame t, from its sticks and the frame before."""
        state.generated.append(self.checkpointed(self.generator, state.inputs(t)))

    def comparisons(self, sample: Chunk[Sequences]) -> list[Comparison]:
        """Each frame of the chunk with the one before it, beside their poses."""
        state, ends = sample.state, [t for t in sample.frames if t]
        if not ends:
            return []

        def pairs(frames: Sequence[Tensor]) -> Tensor:
            return torch.cat([torch.cat((frames[t - 1], frames[t]), dim=1) for t in ends])

        real, generated, sticks = map(pairs, (state.real, state.generated, state.sticks))
        return [Comparison(self.discriminators, real, generated, sticks)]

    def terms(self, sample: Chunk[Sequences]) -> Mapping[str, Callable[[], Tensor]]:
        """Pixel and perceptual losses."""
        state = sample.state
        return pose_to_frame.image_terms(self.fixed, sample.cat(state.generated), sample.cat(state.real))

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """Poses and frames of the first sequence."""
        state = self.init_state(batch)
        for t in range(self.schedule.frames):
            self.generate(state, t)
        shown = {"pose": state.sticks, "generated": state.generated, "truth": state.real}
        return {caption: torch.stack([frame[0] for frame in frames]) for caption, frames in shown.items()}


class FaceStage(PoseToFrameStage):
    """Trains the face generator on what the generator of whole frames makes ("Face GAN").

    Args:
        refiner: The face generator at its place.
        request: Image size and crop.
        after: The stage before.
        face: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        perceptual: The perceptual term, or ``None``.
    """

    generator: FaceRefiner

    def __init__(
        self,
        refiner: FaceRefiner,
        request: DataRequest,
        after: SequenceStage,
        *,
        face: FaceGAN,
        gan: AdversarialLoss,
        perceptual: FeatureLoss | None,
    ) -> None:
        super().__init__("face", request, refiner, [after], face=face, gan=gan, perceptual=perceptual)
        self.whole = (after,)  # a tuple: it is not trained here

    def generate(self, batch: MotionBatch) -> Pair:
        """The faces of all frames of a sequence, each of which is generated from the refined frame before."""
        (whole,), found = self.whole, []
        state = whole.init_state(batch)
        for t, (sticks, real) in enumerate(zip(state.sticks, state.real, strict=True)):
            with torch.no_grad():
                frame = whole.generator(state.inputs(t))
            motion = batch.motion.frames(t, t + 1)
            frame = self.checkpointed(self.generator, frame, sticks, motion)
            state.generated.append(frame.detach())
            found.append([self.generator.faces(images, motion) for images in (sticks, real, frame)])
        return Pair(*map(torch.cat, zip(*found, strict=True)))


@dataclass(frozen=True)
class _State:
    """Between two frames.

    Attributes:
        previous: ``(1, 3, H, W)``, the frame before.
        place: The whole frame's background, where windows follow the person.
        boxes: ``(1, 4)``, through which window the frame before was seen.
    """

    previous: Tensor
    place: Tensor | None = None
    boxes: Tensor | None = None

    def seen(self, motion: Motion) -> Tensor:
        """The frame before through the window of this one."""
        if self.boxes is None or self.place is None or motion.boxes is None:
            return self.previous
        size = self.previous.shape[-2], self.previous.shape[-1]
        return crops.look(crops.paste(self.previous, self.place, self.boxes), motion.boxes[0], size)


class EDN(Method[_State]):
    """One model a person: each frame is painted from its stick figure and the frame before, then its face refined.

    Args:
        frame: The GAN of whole frames.
        face: The GAN of faces, or ``None`` for none.
        image_size: (height, width) in pixels, which the generator must be able to halve.
        crop: See :data:`motioncopy.request.Crop`.
        normalisation: See :func:`motioncopy.poses.normalise.edn`.
        gan: The form of the adversarial losses.
        perceptual: The perceptual term, or ``None``.

    Raises:
        ConfigError: If a generator cannot work at its size; the message names the nearest that do.
    """

    regime: Regime = "personal"  # type: ignore[misc]

    def __init__(
        self,
        *,
        frame: SequenceGAN,
        face: FaceGAN | None = None,
        image_size: tuple[int, int] = (512, 512),
        crop: Crop = "frame",
        normalisation: str = "edn",
        gan: AdversarialLoss | None = None,
        perceptual: FeatureLoss | None = None,
    ) -> None:
        super().__init__(request=DataRequest(1, (image_size[0], image_size[1]), crop=crop), normalisation=normalisation)
        check_size("EDN", image_size, frame.generator.encoder.stride)
        if face is not None and face.size > min(image_size):
            raise ConfigError("face.size is larger than the image", expected=f"<= {min(image_size)}", found=face.size)
        self.generator = frame.generator
        self.face = FaceRefiner(face.generator, face.size) if face is not None else None
        if face is not None and isinstance(face.generator.network, GlobalGenerator):
            check_size("EDN's face generator", (face.size, face.size), face.generator.network.encoder.stride)
        self.feature_identity = perceptual.features.identity() if perceptual is not None else None
        # What only training needs is not registered: it is in no checkpoint of the method.
        self._gans, self._training = (frame, face), (gan or LeastSquares("sum"), perceptual)

    @cached_property
    def stages(self) -> Sequence[Stage]:
        """Whole frames; then, where there is a face generator, faces."""
        (frame, face), (gan, perceptual) = self._gans, self._training
        first = SequenceStage(self.request, frame=frame, gan=gan, perceptual=perceptual)
        if face is None or self.face is None:
            return [first]
        return [first, FaceStage(self.face, self.request, first, face=face, gan=gan, perceptual=perceptual)]

    def start(self, appearance: Appearance) -> _State:
        """Zeros in place of a frame before the first; person and place are in the parameters."""
        self.check_person(appearance)
        return _State(torch.zeros_like(appearance.background), appearance.place)

    def step(self, state: _State, motion: Motion) -> tuple[Tensor, _State]:
        """Each frame from its pose and the frame before, which is seen through the same window."""
        frames = []
        for t in range(len(motion)):
            now = motion.frames(t, t + 1)
            sticks = draw_motion_sticks(now)[:, 0]
            frame = self.generator(torch.cat((sticks, state.seen(now)), dim=1))
            if self.face is not None:
                frame = self.face(frame, sticks, now)
            frames.append(frame)
            state = replace(state, previous=frame, boxes=None if now.boxes is None else now.boxes[0])
        return torch.cat(frames).float(), state

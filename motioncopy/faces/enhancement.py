"""Self-supervised face enhancement (FakeMotion and FakeVideo, section 2.3): real faces turned alike refine a face.

A :class:`FaceGallery` holds the faces of the training frames and finds those that are turned like a given one
(equation 8, in :mod:`motioncopy.faces.search`); :class:`FaceEnhancer` brings them onto the generated face and blends
them in (equation 9); :class:`FaceEnhancement` does that for the faces of whole frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.batch import Motion, Tensors, to_uint8
from motioncopy.errors import BatchError, CheckpointError, ConfigError
from motioncopy.faces.search import FaceSimilarity, FaceViews, OrientationSimilarity
from motioncopy.poses.parts import PARTS, crop, part_centres, paste
from motioncopy.request import DataRequest, TrainingData

_FACE = PARTS.index("face")


@dataclass(frozen=True)
class FaceGallery(Tensors):
    """The faces that the training frames show, with where each one comes from.

    Attributes:
        faces: ``(K, 3, s, s)`` uint8, RGB crops. Foreground only, where foregrounds are enhanced.
        views: How they are turned, in the same units as the faces that will be searched for.
        frames: ``(K,)`` int64, the frame number within the clip.
        clip_of: ``(K,)`` int64, index into ``clips``.
        clips: Clip ids.

    Raises:
        BatchError: If the shapes do not fit.
    """

    faces: Tensor
    views: FaceViews
    frames: Tensor
    clip_of: Tensor
    clips: tuple[str, ...]

    def __post_init__(self) -> None:
        count, found = len(self.views), [tuple(t.shape) for t in (self.faces, self.frames, self.clip_of)]
        if found != [(count, 3, *self.faces.shape[-1:] * 2), (count,), (count,)] or self.faces.dtype != torch.uint8:
            raise BatchError(
                "the faces of a gallery do not fit its views",
                expected=f"({count}, 3, s, s) uint8, and one frame and clip a face",
                found=f"{found} {self.faces.dtype}",
            )

    @classmethod
    def build(cls, faces: Tensor, views: FaceViews, frames: Tensor, clips: Sequence[str]) -> Self:
        """Collects faces, leaving out those that are not seen.

        Args:
            faces: ``(N, 3, s, s)`` in [-1, 1].
            views: Of the same N faces.
            frames: ``(N,)``, frame numbers within the clips.
            clips: The clip id of each face.

        Returns:
            The gallery; an empty one (which leaves every face unchanged) where no face is seen.

        Raises:
            BatchError: If the numbers of faces, views, frames and clips differ.
        """
        names = tuple(dict.fromkeys(clips))
        clip_of = torch.tensor([names.index(c) for c in clips], dtype=torch.int64, device=faces.device)
        gallery = cls(to_uint8(faces), views, frames.to(torch.int64), clip_of, names)
        return gallery.map(lambda t: t[views.seen])

    def __len__(self) -> int:
        """Number of faces K."""
        return len(self.faces)

    def near(self, clips: Sequence[str], frames: Tensor, within: int) -> Tensor:
        """Which faces come from the very frames that are asked about, or from their neighbours.

        A training frame finds itself first, and the enhancer would learn to copy: its own face and those around it
        have to be excluded.

        Args:
            clips: N clip ids.
            frames: ``(N,)`` frame numbers.
            within: Frames on either side; 0 is the frame itself alone.

        Returns:
            ``(N, K)`` bool.
        """
        index = {name: i for i, name in enumerate(self.clips)}
        clip_of = torch.tensor([index.get(c, -1) for c in clips], device=self.clip_of.device)
        apart = (frames.to(self.frames.device)[:, None] - self.frames[None]).abs()
        return (clip_of[:, None] == self.clip_of[None]) & (apart <= within)

    def search(
        self, query: FaceViews, similarity: FaceSimilarity, top: int = 3, exclude: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The faces most alike, best first; among equals the earlier in the gallery first.

        Args:
            query: N faces.
            similarity: What counts as alike.
            top: Candidates m.
            exclude: ``(N, K)`` bool, faces that may not be taken, such as :meth:`near`.

        Returns:
            Indices ``(N, m)`` into the gallery, and their scores ``(N, m)``: ``-inf`` where there is no candidate
            (its index then means nothing). m is smaller where the gallery is.
        """
        scores = similarity.scores(query, self.views)
        if exclude is not None:
            scores = scores.masked_fill(exclude, -torch.inf)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return order[:, :top], scores[:, :top]

    def images(self, index: Tensor) -> Tensor:
        """Faces ``(*index.shape, 3, s, s)`` as float32 in [-1, 1]."""
        return self.faces[index].float().div_(127.5).sub_(1.0)

    def state(self) -> dict[str, Any]:
        """Tensors and plain values, for a checkpoint that is read with ``weights_only=True``."""
        views = {f"views.{f.name}": getattr(self.views, f.name) for f in fields(self.views)}
        tensors = {"faces": self.faces, "frames": self.frames, "clip_of": self.clip_of, **views}
        return {k: None if t is None else t.cpu() for k, t in tensors.items()} | {"clips": list(self.clips)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The gallery of which :meth:`state` was taken, on the CPU."""
        views = FaceViews(**{f.name: state[f"views.{f.name}"] for f in fields(FaceViews)})
        return cls(state["faces"], views, state["frames"], state["clip_of"], tuple(state["clips"]))


#: Least squares on three points a few pixels apart is at the mercy of their noise. As if this much spread (in
#: pixels²) of further points agreed that nothing is turned or scaled.
_STIFFNESS = 12.0


def align(faces: Tensor, landmarks: Tensor, target: Tensor) -> Tensor:
    """Turns, scales and shifts faces so that eyes and nose come to lie where they do in the target.

    Least squares over the landmarks that both have, drawn towards a pure shift where they lie close together; a
    pure shift with one landmark, unchanged with none. Borders are repeated.

    Args:
        faces: ``(N, 3, s, s)``.
        landmarks: ``(N, 3, 3)`` of the faces, see :class:`FaceViews`.
        target: ``(N, 3, 3)``, where they shall lie.

    Returns:
        ``(N, 3, s, s)``.
    """
    size = faces.shape[-1]
    common = ((landmarks[..., 2] > 0) & (target[..., 2] > 0)).float()
    share = common / common.sum(dim=1, keepdim=True).clamp_min(1.0)

    def centred(points: Tensor) -> tuple[Tensor, Tensor]:
        point = torch.complex(points[..., 0].float(), points[..., 1].float())
        mean = (share * point).sum(dim=1)
        return mean, common * (point - mean[:, None])

    # Sampling needs the way back, from the target to the face: z -> turn * z + shift in complex numbers.
    to_mean, to = centred(target)
    from_mean, source = centred(landmarks)
    turn = ((to.conj() * source).sum(dim=1) + _STIFFNESS) / (to.abs().square().sum(dim=1) + _STIFFNESS)
    shift = from_mean - turn * to_mean

    # affine_grid counts from -1 to 1 over the picture's edges: z = (size * u + (size - 1)(1 + i)) / 2.
    corner = torch.complex(*(torch.full_like(turn.real, float(size - 1)) for _ in range(2)))
    moved = (2.0 * shift + (turn - 1.0) * corner) / size
    theta = torch.stack(
        (
            torch.stack((turn.real, -turn.imag, moved.real), dim=-1),
            torch.stack((turn.imag, turn.real, moved.imag), dim=-1),
        ),
        dim=1,
    )
    grid = functional.affine_grid(theta.to(faces.dtype), list(faces.shape), align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def blend(faces: Tensor, candidates: Tensor, weights: Tensor, alpha: float) -> Tensor:
    """α Σ_i λ_i f_i + β F̄, equation 9, with β = 1 − α so that the brightness holds.

    Args:
        faces: ``(N, 3, s, s)``, generated.
        candidates: ``(N, m, 3, s, s)``, real.
        weights: ``(N, m)``, λ; a face whose weights are all 0 stays as it is.
        alpha: In [0, 1].

    Returns:
        ``(N, 3, s, s)``.
    """
    real = torch.einsum("nm,nmchw->nchw", weights, candidates)
    return torch.where((weights.sum(dim=1) > 0)[:, None, None, None], alpha * real + (1.0 - alpha) * faces, faces)


class FaceEnhancer:
    """Blends the best real faces into generated ones (equations 8 and 9).

    Args:
        similarity: What counts as alike; by default equation 8 with five vectors.
        candidates: Real faces m a generated one (the released code and table 2: 3).
        alpha: Weight of the real faces (the paper: silent; the released code: 1/2).
        aligned: Whether candidates are brought onto the generated face by eyes and nose (not in the paper).
        neighbours: Frames on either side of a training frame whose faces it may not use.

    Raises:
        ConfigError: If ``alpha`` is outside [0, 1] or the numbers do not go together.
    """

    def __init__(
        self,
        similarity: FaceSimilarity | None = None,
        candidates: int = 3,
        alpha: float = 0.5,
        aligned: bool = True,
        neighbours: int = 10,
    ) -> None:
        if candidates < 1 or not 0.0 <= alpha <= 1.0 or neighbours < 0:
            raise ConfigError(
                "FaceEnhancer needs a candidate, alpha in [0, 1] and no negative neighbours",
                found=f"candidates={candidates}, alpha={alpha}, neighbours={neighbours}",
            )
        self.similarity = similarity or OrientationSimilarity()
        self.candidates, self.alpha = candidates, alpha
        self.aligned, self.neighbours = aligned, neighbours

    def __call__(self, faces: Tensor, query: FaceViews, gallery: FaceGallery, exclude: Tensor | None = None) -> Tensor:
        """Enhances.

        Args:
            faces: ``(N, 3, s, s)`` in [-1, 1], generated.
            query: How they should look: taken from the driving pose.
            gallery: The person's real faces, on the same device.
            exclude: ``(N, K)`` bool; in training ``gallery.near(clips, frames, enhancer.neighbours)``.

        Returns:
            ``(N, 3, s, s)``. A face that is turned away, or for which there is no candidate, is unchanged.
        """
        index, scores = gallery.search(query, self.similarity, self.candidates, exclude)
        if index.numel() == 0:
            return faces
        candidates = gallery.images(index)
        if self.aligned:
            n, m = index.shape
            target = query.landmarks[:, None].expand(n, m, 3, 3).flatten(0, 1)
            source = gallery.views.landmarks[index].flatten(0, 1)
            candidates = align(candidates.flatten(0, 1), source, target).view_as(candidates)
        return blend(faces, candidates.to(faces.dtype), self.similarity.weights(scores).to(faces.dtype), self.alpha)


@dataclass(frozen=True)
class FaceSearch:
    """The face enhancement of a method, as a config.

    Attributes:
        enhancer: Searches and blends.
        size: Side of the face crops in pixels.
        by_image: Whether the search goes by image features ("image feature", table 2).
    """

    enhancer: FaceEnhancer
    size: int = 48
    by_image: bool = False


class FaceEnhancement:
    """Replaces generated faces by blends with real ones that look the same way (section 2.3).

    Args:
        search: The enhancer and the size of faces.
        features: Describes crops, where the search goes by image features.

    Raises:
        ConfigError: If it does, and there are none.
    """

    def __init__(self, search: FaceSearch, features: nn.Module | None) -> None:
        if search.by_image and features is None:
            raise ConfigError("a face search by image features needs features", remedy="set model.init_args.features")
        self.enhancer, self.size = search.enhancer, search.size
        self.describe = features if search.by_image else None
        self.gallery: FaceGallery | None = None

    def collect(self, data: TrainingData, request: DataRequest) -> None:
        """Fills the gallery with the faces of the training frames, of this size and crop, on nothing."""
        windows = data.train_windows(DataRequest(1, request.image_size, crop=request.crop))
        faces, views, frames = [], [], []
        clips: list[str] = []
        for k in range(len(windows)):
            batch = windows[k].as_float()
            found, seen_views, _, seen = self.look((batch.images * batch.mask)[:, 0], batch.motion)
            if seen.any():
                faces.append(found)
                views.append(seen_views)
                frames.append(batch.frames[:, 0])
                clips += batch.clip
        if faces:
            self.gallery = FaceGallery.build(torch.cat(faces), FaceViews.collate(views), torch.cat(frames), clips)

    def context(self) -> dict[str, Any]:
        """The gallery, for :meth:`motioncopy.method.Method.context`."""
        return {"gallery": self.gallery.state()} if self.gallery is not None else {}

    def load_context(self, context: Mapping[str, Any]) -> None:
        """Takes the gallery back.

        Raises:
            CheckpointError: If there is anything else.
        """
        if unknown := context.keys() - {"gallery"}:
            raise CheckpointError("not the context of a face enhancement", found=", ".join(sorted(unknown)))
        self.gallery = FaceGallery.from_state(context["gallery"]) if "gallery" in context else None

    def look(self, images: Tensor, motion: Motion) -> tuple[Tensor, FaceViews, Tensor, Tensor]:
        """Face crops of the frames that show one, their views, their centres, and which frames they are."""
        centres, valid = part_centres(motion.flatten(), size=self.size)
        seen, middle = valid[:, 0, _FACE], centres[:, 0, _FACE]
        faces = crop(images[seen], middle[seen], self.size)
        features = self._describe(faces) if self.describe is not None else None
        kept = motion.flatten().map(lambda t: t[seen])
        views = self.enhancer.similarity.views(kept, middle[seen], self.size, features)
        return faces, views, middle[seen], seen

    def __call__(self, images: Tensor, motion: Motion, exclude: tuple[Sequence[str], Tensor] | None = None) -> Tensor:
        """Enhances the faces of N frames.

        Args:
            images: ``(N, 3, H, W)`` in [-1, 1].
            motion: N frames in all.
            exclude: Clip ids and frame numbers ``(N,)`` of training frames, which may not find themselves.
        """
        if self.gallery is None or len(self.gallery) == 0:
            return images
        gallery = self.gallery = self.gallery.to(images.device)
        faces, views, centres, seen = self.look(images, motion)
        if len(faces) == 0:
            return images
        near = None
        if exclude is not None:
            clips = [c for c, s in zip(exclude[0], seen.tolist(), strict=True) if s]
            near = gallery.near(clips, exclude[1][seen], self.enhancer.neighbours)
        images = images.clone()
        images[seen] = paste(images[seen], self.enhancer(faces, views, gallery, near), centres)
        return images

    def _describe(self, faces: Tensor) -> Tensor:
        assert self.describe is not None
        describe = self.describe.to(faces.device)  # no module of the method's: it is in no checkpoint, and moves alone
        with torch.no_grad():
            features = describe(functional.interpolate(faces, size=(64, 64), mode="bilinear", antialias=True))
        deepest = list(features.values())[-1]
        return functional.normalize(deepest.mean(dim=(2, 3)) if deepest.ndim == 4 else deepest, dim=1)

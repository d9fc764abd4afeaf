"""Scores clips, and sees of them only what a video file would hold: 8-bit frames.

evaluator = Evaluator(folder=outputs)
for name, chunks in clips:
    clip = evaluator.clip(name)
    for generated, truth, mask in chunks:
        clip.update(generated, truth, mask)
    scores.append(clip.compute())
aggregate(scores)              # metrics of frames: means over clips, with confidence intervals
evaluator.sets(names)          # metrics of sets: FID and alike, over all clips together

Several processes may score different clips into one folder; whoever has all ids then asks for the sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from motioncopy.errors import BatchError, PerceptionError, WeightsError
from motioncopy.metrics.catalogue import DEFAULTS, definition, metric
from motioncopy.metrics.chunk import NAMES, Chunk, Video
from motioncopy.metrics.clip_metric import ClipMetric
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.extractor import Extractor, Found, Output, Seen, Stream
from motioncopy.metrics.networks import Provider, published
from motioncopy.metrics.scores import Aggregate, ClipScores, Score, aggregate
from motioncopy.metrics.set_metric import SetMetric, score
from motioncopy.metrics.store import FeatureStore, Side

__all__ = ["Aggregate", "ClipEvaluator", "ClipScores", "Evaluator", "Score", "aggregate"]


class Evaluator:
    """Computes a fixed set of metrics, clip by clip.

    A metric whose pretrained weights are absent is left out, with its reason; no other weights stand in. An extractor
    looks once at each video, however many metrics need it.

    Args:
        metrics: Metric keys.
        folder: Where features of clips are kept for the metrics over sets; without it they go to a temporary one,
            which other processes do not see.
        networks: Where pretrained weights come from.
        device: Where to compute; ``auto`` is the GPU where there is one.

    Attributes:
        missing: For each metric that cannot be computed, the reason.

    Raises:
        ConfigError: If a key is unknown.
    """

    def __init__(
        self,
        metrics: Sequence[str] = DEFAULTS,
        *,
        folder: Path | None = None,
        networks: Provider = published,
        device: str | torch.device = "auto",
    ) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.missing: dict[str, str] = {}
        if folder is None:
            self._temporary = TemporaryDirectory(prefix="motioncopy-features-")
            folder = Path(self._temporary.name)
        self.store = FeatureStore(folder)
        self.clip_metrics: dict[str, ClipMetric] = {}
        self.set_metrics: dict[str, SetMetric] = {}
        self.extractors: dict[type[Extractor], Extractor] = {}
        self._make(dict.fromkeys(metrics), networks)

    def _make(self, keys: dict[str, None], networks: Provider) -> None:
        kinds = {key: metric(key) for key in keys}
        needs = {key: _outputs(kind) for key, kind in kinds.items()}
        wanted: dict[type[Extractor], set[str]] = {}
        for output in (output for outputs in needs.values() for output in outputs):
            wanted.setdefault(output.extractor, set()).add(output.name)
        absent: dict[type[Extractor], str] = {}
        for extractor, names in wanted.items():
            try:
                made = extractor(networks, wanted=frozenset(names), device=self.device)
            except (WeightsError, PerceptionError) as error:
                absent[extractor] = str(error)
            else:
                self.extractors[extractor] = made
        for key, kind in kinds.items():
            reasons = [absent[output.extractor] for output in needs[key] if output.extractor in absent]
            if reasons:
                self.missing[key] = reasons[0]
                continue
            try:
                if issubclass(kind, SetMetric):
                    self.set_metrics[key] = kind()
                else:
                    self.clip_metrics[key] = kind(networks=networks).to(self.device)
            except WeightsError as error:
                self.missing[key] = str(error)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The definitions of the metrics that are computed."""
        return tuple(definition(key) for key in (*self.clip_metrics, *self.set_metrics))

    @property
    def networks(self) -> dict[str, str]:
        """The pretrained networks that give values: name to SHA-256 of the weights' file."""
        found: dict[str, str] = {}
        for extractor in self.extractors.values():
            found |= extractor.identities
        for clip_metric in self.clip_metrics.values():
            found |= clip_metric.networks
        return found

    def clip(self, clip_id: str, *, real_apart: bool = False) -> ClipEvaluator:
        """Starts a clip; several may be under way at once.

        Args:
            clip_id: Unique among the clips that are scored together.
            real_apart: Whether the real frames of FID and alike come by :meth:`ClipEvaluator.update_real`; otherwise
                the true frames are the real ones.
        """
        return ClipEvaluator(clip_id, self, real_apart=real_apart)

    def sets(self, clips: Sequence[str], *, seed: int = 0) -> tuple[dict[str, Aggregate], dict[str, str]]:
        """Scores the metrics over sets on these clips together.

        Args:
            clips: Ids of clips that were computed into this evaluator's folder, by whichever process.
            seed: Of resampling and of whatever a metric draws.

        Returns:
            By metric key: the values, and the reasons where there is none.
        """
        values, reasons = {}, {}
        for key, set_metric in self.set_metrics.items():
            found, reason = score(set_metric, self.store, clips, seed=seed)
            if found is not None:
                values[key] = found
            else:
                reasons[key] = reason
        return values, reasons


class ClipEvaluator:
    """Takes the frames of one clip in chunks of any length; made by :meth:`Evaluator.clip`.

    Any chunking gives the same values: to the bit for pixel metrics, to 1e-6 for those of networks.
    """

    def __init__(self, clip_id: str, evaluator: Evaluator, *, real_apart: bool) -> None:
        self._clip, self._evaluator, self._real_apart = clip_id, evaluator, real_apart
        self._missing = dict(evaluator.missing)
        self._metrics: dict[str, ClipMetric] = {}
        self._values: dict[str, list[float | None]] = {}
        self._streams: dict[tuple[type[Extractor], Video | Side], Stream] = {}
        self._features = evaluator.store.writer(clip_id)
        self._frames = 0
        self._last: Chunk | None = None

    @torch.no_grad()
    def update(
        self,
        generated: Tensor,
        truth: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        driving: Tensor | None = None,
        joints: Tensor | None = None,
        skeleton: str = "body25",
    ) -> None:
        """Scores the next frames; see :class:`motioncopy.metrics.chunk.Chunk` for the arguments.

        Raises:
            BatchError: If a shape or type is wrong, the size changes within the clip, or what came with the first
                frames is not there now. The clip can go on with other frames if it was the chunk that was wrong.
        """
        try:
            chunk = Chunk(generated, truth, mask, driving, joints, skeleton, previous=self._last)
            self._compare(chunk)
            chunk = chunk.to(self._evaluator.device)
            if self._last is None:
                self._choose(chunk)
            if len(chunk):
                self._score(chunk)
        except BatchError as error:
            raise BatchError(
                f"clip {self._clip}, from frame {self._frames} on: {error.what}",
                expected=error.expected,
                found=error.found,
                remedy=error.remedy,
            ) from error

    def _score(self, chunk: Chunk) -> None:
        found = self._look(chunk)
        values = {key: m.values(chunk, found).tolist() for key, m in self._metrics.items()}
        for key, numbers in values.items():
            self._values[key].extend(None if number != number else number for number in numbers)  # NaN: skipped
        self._frames += len(chunk)
        self._last = chunk.last()

    def _compare(self, chunk: Chunk) -> None:
        """Refuses what does not go with the frames before."""
        if self._last is None:
            return
        if chunk.size != self._last.size:
            raise BatchError("the size changes", expected=self._last.size, found=chunk.size)
        if chunk.inputs != self._last.inputs:
            odd = sorted(NAMES[name] for name in chunk.inputs ^ self._last.inputs)
            raise BatchError(f"some chunks have a {' and a '.join(odd)} and some do not")

    def _choose(self, chunk: Chunk) -> None:
        """Decides by the first frames which metrics this clip can have."""
        self._metrics = {}
        for key, clip_metric in self._evaluator.clip_metrics.items():
            reason = clip_metric.unfit(chunk)
            if reason is None:
                self._metrics[key] = clip_metric
            else:
                self._missing[key] = reason
        self._values = {key: [] for key in self._metrics}

    def _look(self, chunk: Chunk) -> Found:
        """Everything that extractors see in these frames; rows for metrics over sets are put away."""
        found: dict[Seen, Tensor] = {}
        seen = {s for m in self._metrics.values() for s in m.sees}
        sets = self._evaluator.set_metrics.values()
        kept = {Seen(m.output, "generated") for m in sets}
        if chunk.truth is not None and not self._real_apart:
            kept |= {Seen(m.output, "truth") for m in sets if m.needs_real}
        looks = {(s.output.extractor, s.video) for s in seen | kept}
        for extractor, video in sorted(looks, key=lambda look: (look[0].name, look[1])):
            frames = chunk.video(video)
            assert frames is not None
            for name, rows in self._stream(extractor, video).update(frames).items():
                here = Seen(Output(extractor, name), video)
                found[here] = rows
                if here in kept:
                    self._features.append(here.output.id, "generated" if video == "generated" else "real", rows)
        return found

    @torch.no_grad()
    def update_real(self, frames: Tensor) -> None:
        """Takes the next real frames of FID and alike, ``(n, 3, H, W)`` uint8 of any size.

        Raises:
            BatchError: If a shape or type is wrong, or the clip was not started with ``real_apart``.
        """
        if not self._real_apart:
            raise BatchError(f"clip {self._clip} takes no real frames apart", remedy="start it with real_apart=True")
        frames = Chunk(frames).to(self._evaluator.device).generated
        wanted = {m.output for m in self._evaluator.set_metrics.values() if m.needs_real}
        for extractor in {output.extractor for output in wanted}:
            for name, rows in self._stream(extractor, "real").update(frames).items():
                if (output := Output(extractor, name)) in wanted:
                    self._features.append(output.id, "real", rows)

    def _stream(self, extractor: type[Extractor], video: Video | Side) -> Stream:
        if (extractor, video) not in self._streams:
            self._streams[extractor, video] = self._evaluator.extractors[extractor].start(self._clip)
        return self._streams[extractor, video]

    def compute(self) -> ClipScores:
        """The values of all frames so far; features are put away for :meth:`Evaluator.sets`. Ends the clip.

        Raises:
            BatchError: If there was no frame.
        """
        if not self._frames:
            self.discard()
            raise BatchError(f"clip {self._clip} has no frame to score")
        self._features.commit()
        return ClipScores(self._clip, self._frames, {k: tuple(v) for k, v in self._values.items()}, self._missing)

    def discard(self) -> None:
        """Gives the clip up: nothing of it is kept."""
        self._features.discard()


def _outputs(kind: type[ClipMetric] | type[SetMetric]) -> tuple[Output, ...]:
    return (kind.output,) if issubclass(kind, SetMetric) else tuple(s.output for s in kind.sees)

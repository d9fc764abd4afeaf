"""Scores clips, and sees of them only what a video file would hold: 8-bit frames.

evaluator = Evaluator(folder=outputs)
for name, chunks in clips:
    clip = evaluator.clip(name)
    for generated, truth, mask in chunks:
        clip.update(generated, truth, mask)
    scores.append(clip.compute())
aggregate(scores)              # metrics of frames: means over clips, with confidence intervals
evaluator.sets(names)          # metrics of sets: FID and alike, over all clips together

The values are those of the metrics' own ``update`` and states. Several processes may score different clips: their
states are then synchronised (:meth:`Evaluator.gathered`), and features are put into one folder, where whoever has all
ids asks for the sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motioncopy.errors import BatchError, PerceptionError, WeightsError
from motioncopy.metrics.catalogue import DEFAULTS, metric
from motioncopy.metrics.clip import Clip, Extractors, Provider, Seen, Video, published
from motioncopy.metrics.features import FeatureStore, Rows, SetMetric
from motioncopy.metrics.metric import ClipMetric
from motioncopy.metrics.scores import Aggregate, ClipScores, Score, aggregate
from motioncopy.training.processes import from_all

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
        networks: The pretrained networks that give values: name to SHA-256 of the weights' file.
        clip_metrics: Those of clips, by key.
        set_metrics: Those of sets, by key.

    Raises:
        ConfigError: If a key is unknown.

    >>> evaluator = Evaluator(["psnr/frame@1"], device="cpu")
    >>> clip = evaluator.clip("walk")
    >>> frames = torch.full((2, 3, 8, 8), 100, dtype=torch.uint8)
    >>> clip.update(frames, frames + 10)
    >>> round(clip.compute().scores["psnr/frame@1"].value, 2)
    28.13
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
        self.networks: dict[str, str] = {}
        if folder is None:
            self._temporary = TemporaryDirectory(prefix="motioncopy-features-")
            folder = Path(self._temporary.name)
        self.store = FeatureStore(folder)
        self.extractors = Extractors(networks)
        self.clip_metrics: dict[str, ClipMetric] = {}
        self.set_metrics: dict[str, SetMetric] = {}
        for key, kind in {key: metric(key) for key in metrics}.items():
            try:
                for output in kind.outputs():  # first: a metric may take much memory
                    self.extractors.want(output)
                    self.networks |= self.extractors[output.extractor].identities
                made = kind(networks=networks, extractors=self.extractors)
                self.networks |= made.networks
            except (WeightsError, PerceptionError) as error:
                self.missing[key] = str(error)
                continue
            if isinstance(made, SetMetric):
                self.set_metrics[key] = made
            else:
                self.clip_metrics[key] = made.to(self.device)

    def clip(self, clip_id: str, *, real_apart: bool = False) -> ClipEvaluator:
        """Starts a clip; several may be under way at once.

        Args:
            clip_id: Unique among the clips that are scored together.
            real_apart: Whether the real frames of FID and alike come by :meth:`ClipEvaluator.update_real`; otherwise
                the true frames are the real ones.
        """
        return ClipEvaluator(clip_id, self, real_apart=real_apart)

    def gathered(self, scored: Sequence[ClipScores]) -> dict[str, ClipScores]:
        """The scores of all processes' clips by name, from the metrics' synchronised states. Every process must ask.

        Args:
            scored: The clips that this process has scored.

        >>> evaluator = Evaluator(["psnr/frame@1"], device="cpu")
        >>> clip = evaluator.clip("walk")
        >>> frames = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> clip.update(frames, frames)
        >>> evaluator.gathered([clip.compute()])["walk"].values
        {'psnr/frame@1': (100.0, 100.0)}
        """
        everyone = [clip for part in from_all([replace(clip, values={}) for clip in scored]) for clip in part]
        found = {clip.clip: clip for clip in everyone}
        for missing in from_all(self.missing):
            self.missing |= missing  # what one process lacks the weights of, the others cannot synchronise with it
        for key, one in self.clip_metrics.items():
            if key in self.missing:
                continue
            with one.sync_context():
                for name, clip in found.items():
                    if key not in clip.missing:
                        clip.values[key] = one.of(name)
        # Made again, which holds them to one value a frame.
        return {name: replace(clip, missing=clip.missing | self.missing) for name, clip in found.items()}

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

    >>> clip = Evaluator(["ssim/gaussian@1"], device="cpu").clip("walk")
    >>> frames = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    >>> clip.update(frames, frames)
    >>> clip.compute().missing
    {'ssim/gaussian@1': 'the frames are smaller than 11 pixels a side'}
    """

    def __init__(self, clip_id: str, evaluator: Evaluator, *, real_apart: bool) -> None:
        self._evaluator, self._real_apart = evaluator, real_apart
        self._clip = Clip(clip_id, evaluator.extractors)
        self._missing = dict(evaluator.missing)
        self._metrics: dict[str, ClipMetric] = {}
        self._features = evaluator.store.writer(clip_id)
        self._forget()  # values of an earlier time

    @torch.no_grad()
    def update(self, generated: Tensor, truth: Tensor | None = None, mask: Tensor | None = None, **beside: Any) -> None:
        """Scores the next frames; see :meth:`motioncopy.metrics.clip.Clip.chunk` for the arguments.

        Raises:
            BatchError: If a shape or type is wrong, the size changes within the clip, or what came with the first
                frames is not there now. The clip can go on with other frames if it was the chunk that was wrong.
        """
        first = not self._clip.frames
        chunk = self._clip.chunk(generated, truth, mask, **beside, device=self._evaluator.device)
        if first:
            reasons = {key: one.unfit(chunk) for key, one in self._evaluator.clip_metrics.items()}
            self._missing |= {key: reason for key, reason in reasons.items() if reason is not None}
            self._metrics = {k: one for k, one in self._evaluator.clip_metrics.items() if reasons[k] is None}
        for one in self._metrics.values():
            one.update(chunk)
        if len(chunk):
            self._keep(chunk.found, "generated")
            if chunk.truth is not None and not self._real_apart:
                self._keep(chunk.found, "truth")

    def _keep(self, found: Mapping[Seen, Tensor], video: Video) -> None:
        """Puts features away for the metrics over sets."""
        sets = self._evaluator.set_metrics.values()
        for output in dict.fromkeys(one.output for one in sets if one.needs_real or video == "generated"):
            self._features.append(
                output.id, "generated" if video == "generated" else "real", found[Seen(output, video)]
            )

    @torch.no_grad()
    def update_real(self, frames: Tensor) -> None:
        """Takes the next real frames of FID and alike, ``(n, 3, H, W)`` uint8 of any size.

        Raises:
            BatchError: If a shape or type is wrong, or the clip was not started with ``real_apart``.
        """
        if not self._real_apart:
            raise BatchError(
                f"clip {self._clip.name} takes no real frames apart", remedy="start it with real_apart=True"
            )
        self._keep(self._clip.real(frames, self._evaluator.device).found, "real")

    def compute(self) -> ClipScores:
        """The values of all frames so far; features are put away for :meth:`Evaluator.sets`. Ends the clip.

        Raises:
            BatchError: If there was no frame.
        """
        name, frames = self._clip.name, self._clip.frames
        if not frames:
            self.discard()
            raise BatchError(f"clip {name} has no frame to score")
        self._features.commit()
        return ClipScores(name, frames, {key: one.of(name) for key, one in self._metrics.items()}, self._missing)

    def discard(self) -> None:
        """Gives the clip up: nothing of it is kept."""
        self._features.discard()
        self._forget()

    def _forget(self) -> None:
        for one in self._evaluator.clip_metrics.values():
            one.forget(self._clip.name)


def score(
    metric: SetMetric, store: FeatureStore, clips: Sequence[str], *, seed: int = 0
) -> tuple[Aggregate | None, str]:
    """Scores stored clips.

    The interval is value ± 1.96 standard errors, the standard error being that of a bootstrap over clips. Its
    percentiles would not do: a draw holds clips twice, and distances between sets of fewer different samples are
    larger by nature. ``Aggregate.curve`` tells how much, on random subsets.

    Args:
        metric: What to compute.
        store: Where the clips' features lie.
        clips: The clips' ids; all of them have generated features.
        seed: Of subsets and of the bootstrap.

    Returns:
        The value, or ``None`` and the reason why there is none.

    >>> from tempfile import mkdtemp
    >>> from motioncopy.metrics.fvd import FVD16
    >>> score(FVD16(), FeatureStore(Path(mkdtemp())), ["walk"])
    (None, 'some clips have no features')
    """
    feature = metric.output.id
    generated = store.rows(feature, "generated", clips)
    real = store.rows(feature, "real", clips) if metric.needs_real else None
    if generated is None or (metric.needs_real and real is None):
        return None, "some clips have no real frames" if generated is not None else "some clips have no features"
    for name, rows in (("generated", generated), ("real", real)):
        if rows is not None and len(rows) < metric.least:
            return None, f"it needs at least {metric.least} {metric.samples}, and {name} are {len(rows)}"
    try:
        value = metric.distance(generated, real)
        curve = [*_curve(metric, generated, real, seed), (len(generated), value)]
        error = _standard_error(metric, generated, real, seed)
    except BatchError as refusal:
        return None, str(refusal)
    low, high = (value - 1.96 * error, value + 1.96 * error) if error is not None else (None, None)
    return Aggregate(value, low, high, len(clips), len(generated), tuple((float(n), v) for n, v in curve)), ""


def _curve(metric: SetMetric, generated: Rows, real: Rows | None, seed: int) -> list[tuple[int, float]]:
    """The value on an eighth, a quarter and a half of the samples."""
    random = np.random.default_rng(seed)
    points = []
    for part in (8, 4, 2):
        n = len(generated) // part
        if n < 2:
            continue
        places = np.sort(random.choice(len(generated), n, replace=False))
        others = None
        if real is not None and len(real) == len(generated):
            others = real.only(places)  # where the two sides are in step, the same frames of both
        elif real is not None:
            m = max(2, len(real) // part)
            others = real.only(np.sort(random.choice(len(real), m, replace=False)))
        try:
            points.append((n, metric.distance(generated.only(places), others)))
        except BatchError:
            continue  # fewer than the metric can be computed from at all
    return points


def _standard_error(metric: SetMetric, generated: Rows, real: Rows | None, seed: int) -> float | None:
    clips = len(generated.parts)
    if not metric.resamples or clips < 2:
        return None
    random = np.random.default_rng(seed)
    values = []
    for _ in range(metric.resamples):
        drawn = random.integers(clips, size=clips)
        values.append(metric.distance(generated.drawn(drawn), real.drawn(drawn) if real is not None else None))
    return float(np.std(values, ddof=1))

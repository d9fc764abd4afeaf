"""What is checked of each metric, by what it is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed
from torch import Tensor

from benchmarks.audit import references as theirs
from benchmarks.audit.cases import DAMAGES, SPOILT, VIDEO_DAMAGES, Frames, frames, noisy, puppet, video
from benchmarks.audit.networks import RANDOM, network
from benchmarks.audit.processes import agreed, difference, frames_of_two, share_frames, share_rows, values_of_two
from benchmarks.audit.references import OWN, Reference, array, references
from motioncopy.batch import to_uint8
from motioncopy.metrics.catalogue import metric
from motioncopy.metrics.clip import Chunk, Clip, Extractor, Extractors
from motioncopy.metrics.face_similarity import HEAD, SHAPE
from motioncopy.metrics.facenet import SIDE, WEIGHTS, load_network
from motioncopy.metrics.features import Part, Rows, SetMetric
from motioncopy.metrics.metric import ClipMetric, FrameMetric, VideoMetric
from motioncopy.metrics.pose_error import CONFIDENT, FOUND

Kind = TypeVar("Kind", bound=VideoMetric)
#: Largest relative difference between process counts: pixels and networks.
_PROCESSES, _PROCESSES_NETWORK = 1e-6, 1e-4


@dataclass(frozen=True)
class Check:
    """The largest difference of one thing, or a value of it; ``passed`` is ``None`` where nothing is judged."""

    name: str
    value: float | None
    passed: bool | None
    note: str = ""


@dataclass
class Audit:
    """All checks of one metric.

    Attributes:
        key: The metric.
        reference: What it was held against.
        weights: ``real``, ``random``, or empty where there is no network.
        checks: What was found.
    """

    key: str
    reference: str
    weights: str = ""
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return bool(self.checks) and all(check.passed is not False for check in self.checks)

    def add(self, name: str, value: float, tolerance: float, note: str = "") -> None:
        """Adds a difference that must not exceed a tolerance."""
        self.look(name, value, value <= tolerance, note)

    def look(self, name: str, value: float | None, passed: bool | None, note: str) -> None:
        """Adds what was judged in another way, or not at all."""
        self.checks.append(Check(name, value, passed, note))


def audit(key: str) -> Audit:
    """Checks one metric.

    Raises:
        ConfigError: If there is no such metric.
    """
    kind = metric(key)
    if not issubclass(kind, SetMetric | FrameMetric):
        return _video(key, kind)
    reference = references().get(key)
    if reference is None:
        found = Audit(key, "none")
        found.look("reference", None, False, "there is none in benchmarks/audit/references.py")
        return found
    return _set(key, kind, reference) if issubclass(kind, SetMetric) else _frame(key, kind, reference)


# -- metrics of frames ------------------------------------------------------------------------------------------------


def _frame(key: str, kind: type[FrameMetric], reference: Reference) -> Audit:
    made, tolerance = _made(kind), reference.tolerance
    found = Audit(key, reference.name, _weights(made.networks))
    cases = {name: case for name, case in frames().items() if min(case.truth.shape[2:]) >= made.least_side}
    differences = {name: parity(made, case) for name, case in cases.items()}
    worst = max(differences, key=lambda name: differences[name])
    found.add("reference", differences[worst], tolerance, f"worst: {worst}")
    case = cases["noise"]
    values = _values(made, case)
    eight = Frames(*(torch.cat([t] * 3)[:8] for t in (case.generated, case.truth, case.mask)))
    whole = _values(made, eight)
    for size in (1, 3, 8):
        parts = zip(*(t.split(size) for t in (eight.generated, eight.truth, eight.mask)), strict=True)
        apart = torch.cat([made.frames(*p) for p in parts]).tolist()
        found.add(f"batch {size}", difference(apart, whole), tolerance)
    as_float = made.frames(case.generated.float(), case.truth.float(), case.mask).tolist()
    found.add("float", difference(as_float, values), tolerance, "float32 in [0, 255] against uint8")
    ranges: dict[str, Callable[[Tensor], Tensor]] = {
        "[0, 1]": lambda t: 2 * (t.float() / 255) - 1,
        "[-1, 1]": lambda t: t.float() / 127.5 - 1,
    }
    for name, there in ranges.items():
        back = Frames(to_uint8(there(case.generated)), to_uint8(there(case.truth)), case.mask)
        found.add(name, difference(_values(made, back), values), 0.0, "to 8 bits by the project's own way")
    shared, alone = frames_of_two()[key], float(share_frames((key,), 0, 1))
    found.add("2 processes", difference(shared, alone), _PROCESSES_NETWORK if found.weights else _PROCESSES)
    _damage(found, made, case)
    if key in PUPPET_ORDER:
        on_puppets(found, lambda generated, truth: float(made.frames(generated, truth).mean()))
    return found


def parity(made: FrameMetric, case: Frames) -> float:
    """The largest difference of a metric of frames from its reference; see :func:`difference`."""
    return difference(_values(made, case), references()[made.definition.key].values(case))


def _values(made: FrameMetric, case: Frames) -> list[float]:
    return [float(v) for v in made.frames(case.generated, case.truth, case.mask)]


def _damage(found: Audit, made: FrameMetric, case: Frames) -> None:
    """Equal frames are perfect; more damage never scores better, judged unless the weights are random."""
    sign = 1 if made.definition.direction == "higher" else -1

    def mean(generated: Tensor) -> float:
        return sign * float(np.nanmean(made.frames(generated, case.truth, case.mask).numpy()))

    perfect = mean(case.truth)
    for name, (way, amounts) in DAMAGES.items():
        series = [perfect, *(mean(way(case.truth, amount)) for amount in amounts)]
        falls = all(b <= a for a, b in pairwise(series))
        note = " > ".join(f"{sign * v:.4g}" for v in series)
        found.look(f"more {name}", None, falls if found.weights != "random" else None, note)


#: Metrics on networks that packages bring, and what each must hold for worse than what stands before it on puppets.
PUPPET_ORDER: dict[str, tuple[str, ...]] = {
    "perceptual/hed_vgg@1": ("ghost", "frozen"),
    "frechet/efficientnet_lite0@1": ("shuffled", "ghost", "frozen"),
    "video/efficientnet_lite0@1": ("ghost", "frozen", "shuffled"),
}


def on_puppets(found: Audit, value: Callable[[Tensor, Tensor], float]) -> None:
    """What a metric makes of a spoilt video of a puppet: more damage is worse, in the order that it is made for.

    Args:
        found: Takes the checks.
        value: The metric, of generated and true frames; lower is better.
    """
    truth = noisy(puppet(), 2)
    same = value(truth, truth)
    means = {}
    for name, (way, amounts) in (DAMAGES | VIDEO_DAMAGES).items():
        series = [value(way(truth, amount), truth) for amount in amounts]
        rises = all(a < b for a, b in pairwise([same, *series]))
        note = " < ".join(f"{v:.3g}" for v in [same, *series])
        # Features that are pooled over the frame hardly know where something is.
        judged = not (name == "shift" and found.key.startswith("frechet"))
        found.checks.append(Check(f"puppet: more {name}", None, rises if judged else None, note))
    for name, spoil in SPOILT.items():
        means[name] = value(spoil(truth), truth)
    for name, mean in means.items():
        blind = name == "shuffled" and found.key.startswith("frechet")
        passed, note = (mean <= same + 1e-6, "blind to it") if blind else (mean > same, "")
        found.checks.append(Check(f"puppet: {name}", mean, passed, note))
    order = [means[name] for name in PUPPET_ORDER[found.key]]
    ordered = all(a < b for a, b in pairwise(order))
    note = " < ".join(f"{n} {v:.3g}" for n, v in zip(PUPPET_ORDER[found.key], order, strict=True))
    found.checks.append(Check("puppet: order", order[-1], ordered, note))


# -- metrics of videos ------------------------------------------------------------------------------------------------


@cache
def _extractors() -> Extractors:
    return Extractors(network)


def _made(kind: type[Kind]) -> Kind:
    """A metric that shares its extractors with all others: some take long to make."""
    return kind(networks=network, extractors=_extractors())


def _chunks(made: ClipMetric, video: Chunk, size: int) -> Iterator[Chunk]:
    """The clip in chunks, with what extractors see."""
    clip = Clip("a", made.extractors)
    for first in range(0, len(video), size):
        yield clip.chunk(**_pieces(video, slice(first, first + size)))


def _per_frame(made: ClipMetric, video: Chunk, size: int = 1000) -> list[float]:
    return [float(v) for chunk in _chunks(made, video, size) for v in made.per_frame(chunk)]


def _video(key: str, kind: type[ClipMetric]) -> Audit:
    made = _made(kind)
    found = Audit(key, OWN, _weights({n: v for n, v in made.networks.items() if not n.startswith("mediapipe")}))
    clip = video() if "raft" not in key or found.weights != "random" else _short(video(), 5)
    if key.startswith("face"):
        clip = video(9, 448)  # a face needs some pixels
    values = _per_frame(made, clip)
    (whole,) = _chunks(made, clip, 1000)
    if np.isnan(values).all():  # random flow is consistent nowhere: two times nothing would seem to agree
        found.look("reference", None, None, "no frame has a value")
        return found
    found.add("reference", difference(values, _second(made, whole)), 1e-4)
    for size in (1, 3, 8):
        found.add(f"batch {size}", difference(_per_frame(made, clip, size), values), 1e-6)
    found.look("float", None, None, "8-bit only")
    found.add("2 processes", values_of_two(), _PROCESSES, "the values that all metrics of clips keep")
    if found.weights == "random" and "raft" in key:  # what random flow makes of shuffled frames says nothing
        return found
    same = Chunk(clip.truth, clip.truth, driving=clip.truth, joints=clip.joints) if clip.truth is not None else clip
    _metamorphic(found, made, clip, same)
    if key in PUPPET_ORDER:
        on_puppets(found, lambda generated, truth: float(np.nanmean(_per_frame(made, Chunk(generated, truth)))))
    return found


def _short(clip: Chunk, count: int) -> Chunk:
    return Chunk(**_pieces(clip, slice(count)))


def _pieces(clip: Chunk, part: slice) -> dict[str, Any]:
    found = {name: getattr(clip, name) for name in ("generated", "truth", "driving", "joints")}
    return {name: tensor[part] for name, tensor in found.items() if tensor is not None}


def _metamorphic(found: Audit, made: ClipMetric, clip: Chunk, same: Chunk) -> None:
    assert clip.truth is not None
    changed = {
        "identical": same.generated,
        "shuffled": clip.truth[torch.randperm(len(clip), generator=torch.Generator().manual_seed(0))],
        "frozen": clip.truth[:1].expand_as(clip.truth).contiguous(),
    }
    means = {}
    for name, generated in changed.items():
        pieces = Chunk(generated, clip.truth, driving=clip.driving, joints=clip.joints)
        means[name] = float(np.nanmean(_per_frame(made, pieces)))
    one = made.definition
    perfect = 1.0 if one.key.startswith(("tcm", "face")) else 0.0
    if "driving_mediapipe" not in one.key:  # joints that were rendered are not those that are found
        found.add("identical", abs(means["identical"] - perfect), 1e-9)
    if one.key.startswith("tcm/"):
        judged = "/truth" in one.key
        lower = means["shuffled"] < means["identical"]
        found.look("shuffled", means["shuffled"], lower if judged else None, "lower under truth's motion")
    worded = not one.key.startswith("tcm") or any(word in one.caution.lower() for word in ("freez", "frozen"))
    found.look("frozen", means["frozen"], worded, "its caution says what freezing gets")


def _second(made: ClipMetric, chunk: Chunk) -> list[float]:
    """The definition once more, frame by frame and joint by joint."""
    by, key = {(s.output.name, s.video): chunk.found[s] for s in made.sees}, made.definition.key
    if "pose" in key:
        wanted = by["joints", "truth"].clone() if ("joints", "truth") in by else chunk.joints
        assert wanted is not None
        if ("joints", "truth") in by:
            wanted[..., 2] *= wanted[..., 2] >= CONFIDENT
        rows = zip(by["joints", "generated"][:, list(FOUND)], wanted[:, list(FOUND)], strict=True)
        which = 0 if "error" in key else 1
        return [theirs.pose(array(f), array(w), chunk.size)[which] for f, w in rows]
    if key.startswith("video"):
        return _grids({name: by["grid", name] for name in ("generated", "truth")})
    if key.startswith("face"):
        return _faces(chunk, by["joints", "truth"])
    _, motion = key.split("/")
    reference = "driving" if "driving" in motion else "truth"
    own = "generated" if motion.startswith("own") else reference
    videos = {name: array(chunk.video(name).permute(0, 2, 3, 1)) / 255 for name in (reference, "generated")}  # type: ignore[union-attr, arg-type]
    values = [math.nan]
    for t in range(1, len(chunk)):
        changes = [
            theirs.change(
                videos[name][t],
                videos[name][t - 1],
                array(by["backward", flow][t].permute(1, 2, 0)),  # type: ignore[index]
                by["visible", flow][t, 0].numpy(),  # type: ignore[index]
            )
            for name, flow in ((reference, reference), ("generated", own))
        ]
        ratio = changes[1] / changes[0] if changes[0] >= 1e-6 else math.nan
        values.append(math.exp(-abs(ratio - 1)) if key.startswith("tcm/") else ratio)
    return values


def _grids(grids: Mapping[str, Tensor]) -> list[float]:
    """The video distance frame by frame and channel by channel."""
    x, y = (array(grids[name]) for name in ("generated", "truth"))
    values = [math.nan]
    for t in range(1, len(x)):
        still = [np.square(a - b).mean() for a, b in zip(x[t], y[t], strict=True)]
        moved = [np.square((x[t, c] - x[t - 1, c]) - (y[t, c] - y[t - 1, c])).mean() for c in range(x.shape[1])]
        values.append(float(np.mean(still) + np.mean(moved)))
    return values


def _faces(chunk: Chunk, joints: Tensor) -> list[float]:
    """Face similarity frame by frame, by another way of cutting, in float64."""
    embed, values = load_network(network(WEIGHTS).state).double(), []
    assert chunk.truth is not None
    for t in range(len(chunk)):
        pair = [
            theirs.face(array(v[t]), array(joints[t, list(HEAD)]), SHAPE, SIDE) for v in (chunk.generated, chunk.truth)
        ]
        if pair[0] is None or pair[1] is None:
            values.append(math.nan)
            continue
        with torch.no_grad():
            a, b = (embed((torch.from_numpy(cut)[None] - 127.5) / 128)[0] for cut in pair if cut is not None)
        values.append(float(a @ b / a.norm() / b.norm()))
    return values


# -- metrics of sets --------------------------------------------------------------------------------------------------


def _rows(features: Tensor, clips: int = 5) -> Rows:
    return Rows(tuple(Part(str(k), part.float().numpy()) for k, part in enumerate(features.tensor_split(clips))))


def _set(key: str, kind: type[SetMetric], reference: Reference) -> Audit:
    made = _made(kind)
    found = Audit(key, reference.name, _weights(made.networks))
    x, y = _features(kind, 0), _features(kind, 1)
    value = made.distance(_rows(x), _rows(y) if kind.needs_real else None)
    expected = reference.values(array(x.float()), array(y.float()) if kind.needs_real else None)
    found.add("reference", difference(value, expected), reference.tolerance, f"{len(x)} rows of {x.shape[1]} numbers")
    found.add("2 processes", difference(agreed(share_rows, (key, x, y)), value), _PROCESSES_NETWORK)
    _same_sets(found, made, x, y, value)
    extractor = made.extractors[kind.output.extractor]
    _look_at_videos(found, kind, extractor)
    if key in PUPPET_ORDER:

        def pooled(generated: Tensor, truth: Tensor) -> float:
            seen = (extractor.start().update(part)[kind.output.name] for part in (generated, truth))
            return made.distance(*(_rows(rows, 1) for rows in seen))

        on_puppets(found, pooled)
    return found


def _same_sets(found: Audit, made: SetMetric, x: Tensor, y: Tensor, value: float) -> None:
    """What must not depend on the order of rows and on clips; KID draws subsets by place, and takes long."""
    if not made.needs_real or "kid" in found.key:
        return
    other_clips = made.distance(_rows(x, 7), _rows(y, 3))
    found.add("other clips", difference(other_clips, value), 1e-6, "the same rows, in clips of other lengths")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    found.add("order of rows", difference(made.distance(_rows(x[order]), _rows(y)), value), 1e-6)
    itself = made.distance(_rows(x), _rows(x))
    found.look("identical", itself, itself <= 1e-6 * value, "a set against itself")


def _features(kind: type[SetMetric], which: int) -> Tensor:
    """Features with some correlation, as many as the metric asks for: networks would take hours for them."""
    size = kind.size
    generator = torch.Generator().manual_seed(which)
    mixing = torch.randn(16, size, generator=torch.Generator().manual_seed(9))
    count = max(kind.least, size) + 151
    rows = torch.randn(count, 16, generator=generator) @ mixing * 0.3 + torch.randn(count, size, generator=generator)
    return (rows + 0.1 * which).float()


def _look_at_videos(found: Audit, kind: type[SetMetric], extractor: Extractor) -> None:
    """Chunks, shuffled and frozen frames, through the network."""
    clip = video()
    assert clip.truth is not None
    count = 31 if "i3d" in extractor.name else 6
    frames_ = clip.truth[:count]

    def rows(generated: Tensor, size: int) -> Tensor:
        stream = extractor.start()
        return torch.cat([stream.update(part)[kind.output.name] for part in generated.split(size)])

    whole = rows(frames_, 1000)
    sizes = (1, 3, 8) if "i3d" not in extractor.name else (8,)
    for size in sizes:
        scale = float(whole.abs().mean())
        worst = float((rows(frames_, size) - whole).abs().max()) / scale
        found.add(f"batch {size}", worst, 1e-4, "largest difference of features, relative to their mean size")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    shuffled = rows(frames_[order], 1000)
    if "i3d" in extractor.name:
        moved = float((shuffled - whole).norm() / whole.norm())
        found.look("shuffled", moved, moved > 1e-3, "features change: FVD sees the order of frames")
        frozen = rows(frames_[:1].expand_as(frames_).contiguous(), 1000)
        apart = float((frozen - whole).norm() / whole.norm())
        found.look("frozen", apart, apart > 1e-3, "features change: FVD sees a frozen video")
    else:
        same = float((shuffled - whole[order]).abs().max() / whole.abs().mean())
        found.add("shuffled", same, 1e-4, "features move with their frames: blind to their order")


def _weights(identities: object) -> str:
    values = list(dict(identities).values()) if identities else []  # type: ignore[call-overload]
    return "" if not values else "random" if RANDOM in values else "real"

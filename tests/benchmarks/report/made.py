"""Records and run folders that were never run, for the report's tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.report.clips import ALPHABET, NOTHING, STEPS
from motioncopy.metrics.scores import ClipScores
from motioncopy.records import Costs, Record, Results
from motioncopy.records.provenance import Code, Device

SSIM, PSNR, LPIPS, POSE = "ssim/gaussian@1", "psnr/frame@1", "lpips/alex@1", "pose_error/driving_mediapipe@1"


def curve(mean: float, frames: int = 4) -> tuple[float, ...]:
    """Values of frames around a mean."""
    return tuple(mean + 0.01 * np.cos(np.arange(frames)))


def decoded(curve: tuple[float, float, str]) -> list[float | None]:
    """The values of a curve that was made small, each within 1/8190 of its range, and the rounding of its ends."""
    low, high, text = curve
    pairs = [text[i : i + 2] for i in range(0, len(text), 2)]
    steps = (None if p == NOTHING else ALPHABET.index(p[0]) * 64 + ALPHABET.index(p[1]) for p in pairs)
    return [None if step is None else low + (high - low) * step / STEPS for step in steps]


def scores(trial: str, values: dict[str, float], frames: int = 4, missing: dict[str, str] | None = None) -> ClipScores:
    """A trial's scores with these means."""
    return ClipScores(trial, frames, {key: curve(mean, frames) for key, mean in values.items()}, missing or {})


def record(
    method: str = "remot",
    value: float = 0.5,
    *,
    trials: Sequence[str] = ("walk", "jump"),
    missing: dict[str, str] | None = None,
    **changes: Any,
) -> Record:
    """A record whose trials differ a little, the first the worst."""
    own = [scores(t, {SSIM: value + i / 100, PSNR: 20 + value + i / 10}, missing=missing) for i, t in enumerate(trials)]
    seed = changes.get("seed", 0)
    fields: dict[str, Any] = {
        "id": f"{method}-{changes.get('ablation')}-{seed}".replace("<", "_").replace(">", "_").replace("/", "_")[:40],
        "created": f"2025-01-31T12:00:0{seed or 0}Z",
        "kind": "measured",
        "method": method,
        "data": "puppets",
        "regime": "general",
        "protocol": "puppets@1",
        "split": "puppets@1",
        "variant": "paper",
        "preset": "quick",
        "seed": seed,
        "config": {"seed_everything": seed, "model": {"init_args": {"image_size": [16, 16]}}},
        "code": Code("0.1.0", "c0ffee" + "0" * 34, dirty=seed == 1),
        "device": Device("A CPU", 2),
        "packages": {"torch": "2.13.0"},
        "networks": {"features": "random_vgg(width=4, seed=0)"},
        "costs": Costs({"whole": 60.0}, {"whole": 100}, 10**9, 10**6, 25.0),
        "results": Results.of({"reconstruction": own}),
    }
    return Record(**fields | changes)


def run_folder(runs: Path, its: Record, frames: int = 4, shade: int = 128, keys: Sequence[str] = ()) -> Path:
    """The folder of a finished run whose frames are grey, each a little lighter than the one before."""
    folder = runs / its.id
    outputs = folder / "outputs" / f"{its.protocol}-test"
    outputs.mkdir(parents=True)
    config = {"data": {"class_path": "x.Nowhere"}, "model": {"init_args": {"image_size": [16, 16], "crop": "frame"}}}
    (folder / "stack.yaml").write_text(yaml.safe_dump(config))
    (folder / "record.json").write_text(json.dumps(its.to_dict()))
    trials = []
    for name, trial in its.results.trials.items():
        grey = shade + 4 * np.arange(frames, dtype=np.uint8)
        np.save(outputs / f"{name}.npy", np.broadcast_to(grey[:, None, None, None], (frames, 16, 16, 3)))
        values = {key: (s.value or 0.0) for key, s in trial.scores.items()} | dict.fromkeys(keys, 0.5)
        trials.append(
            {
                "id": name, "kind": trial.kind, "person": "ann", "driver": "ann", "fps": 25.0, "frames": frames,
                "scores": scores(name, values, frames).to_dict(),
            }
        )  # fmt: skip
    (outputs / "summary.json").write_text(json.dumps({"trials": trials}))
    return folder

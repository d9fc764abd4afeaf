"""Records that were never run, and the command on them, for the tests of tables."""

from __future__ import annotations

import argparse
from typing import Any

from benchmarks.tables import command
from motioncopy.metrics.scores import ClipScores
from motioncopy.records import Record, Results
from motioncopy.records.provenance import Code, Device

SSIM, PSNR, LPIPS, FID = "ssim/gaussian@1", "psnr/frame@1", "lpips/alex@1", "fid/tf@1"


def record(
    method: str,
    ssim: float | None = 0.5,
    psnr: float = 20.0,
    *,
    trials: tuple[str, ...] = ("walk",),
    imitation: bool = False,
    lpips: float | None = None,
    missing: dict[str, str] | None = None,
    ssim_key: str = SSIM,
    **changes: Any,
) -> Record:
    values = {ssim_key: (ssim,), PSNR: (psnr,)} | ({LPIPS: (lpips,)} if lpips is not None else {})
    clips = [ClipScores(t, 1, dict(values), missing or {}) for t in trials]
    twins = [ClipScores(f"{t}_by_another", 1, {ssim_key: (ssim,), PSNR: (psnr,)}) for t in trials]
    seed = changes.get("seed", 0)
    fields: dict[str, Any] = {
        "id": f"{method}-{seed}-{changes.get('ablation')}-{changes.get('created', '')[-3:-1]}",
        "created": "2025-01-31T12:00:00Z",
        "kind": "measured",
        "method": method,
        "data": "puppets",
        "regime": "personal",
        "subject": "p03",
        "protocol": "puppets@1",
        "split": "puppets@1",
        "seed": seed,
        "config": {"seed_everything": seed, "model": {"width": 8}},
        "code": Code("0.1.0", None, None),
        "device": Device("A CPU", 2),
        "results": Results.of({"reconstruction": clips, "imitation": twins if imitation else []}),
    }
    return Record(**fields | changes)


def call(*arguments: str) -> int:
    """Runs ``motioncopy table`` and gives its exit status."""
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["table", *arguments])
    return int(parsed.run_command(parsed))

"""Shows a bench run: its table, and for each kind of trial a side-by-side video and a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import trial_pictures
from benchmarks.jobs import Job
from benchmarks.pictures import write_png
from benchmarks.tables.results import results
from benchmarks.tables.table import show
from motioncopy.errors import RecordError
from motioncopy.files.documents import read_json
from motioncopy.files.writing import write_whole
from motioncopy.records import Record
from motioncopy.request import DataRequest


def table(records: Sequence[Record], path: Path) -> None:
    """Prints the table and keeps it as Markdown."""
    made = results(records)
    write_whole(path, made.markdown(), error=RecordError)
    show([made])


def nearness(job: Job) -> None:
    """Prints how near the training poses of a finished ``nearest`` came to those asked for."""
    for path in sorted((job.folder / "outputs").glob("*/summary.json")):
        found: dict[str, list[float]] = {}
        for trial in read_json(path, error=RecordError)["trials"]:
            if "pose_distance" in trial.get("report", {}):
                found.setdefault(trial["kind"], []).append(trial["report"]["pose_distance"])
        for kind, distances in found.items():
            mean = sum(distances) / len(distances)
            print(f"nearest, {kind}: on average a joint was {mean:.3f} body heights from where it should be")


def waiting(job: Job) -> None:
    """Prints how much of each stage's training time was spent waiting for data."""
    stages = read_json(job.folder / "fit.json", error=RecordError)["stages"]
    shares = [f"{s['stage']} {s['data_seconds'] / s['seconds']:.1%}" for s in stages if s["seconds"]]
    if shares:
        print(f"Waiting for data while training: {', '.join(shares)}")


def pictures(job: Job, baselines: Sequence[Job]) -> list[tuple[str, str]]:
    """Writes the videos and contact sheets of a finished run.

    Args:
        job: The run.
        baselines: Finished runs of the trivial baselines on the same trials.

    Returns:
        File names in the run's folder, and what each shows.
    """
    data, args = job.data(), job.config["model"]["init_args"]
    request = DataRequest(1, tuple(args["image_size"]), crop=args.get("crop", "frame"))
    trials = data.trials(request, "test")
    folder = f"outputs/{data.protocol}-test"
    generated = {run.stack.method: run.folder / folder for run in (job, *baselines)}
    made = []
    for kind in ("reconstruction", "imitation"):
        chosen = trial_pictures.of_kind(trials, kind)
        if not chosen:
            continue
        video, sheet = f"{kind}.mp4", f"{kind}.png"
        trial_pictures.video(chosen, job.folder / folder, job.folder / video)
        write_png(trial_pictures.sheet(chosen[0], generated), job.folder / sheet)
        made += [
            (video, f"side by side: {', '.join(trial.id for trial in chosen)}"),
            (sheet, f"contact sheet: {chosen[0].id}"),
        ]
    return made

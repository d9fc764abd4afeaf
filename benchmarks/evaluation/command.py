"""``motioncopy evaluate``: scores a folder of videos that any system made."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import left_out
from benchmarks.evaluation import workers as processes
from motioncopy.errors import ConfigError
from motioncopy.files.names import printable
from motioncopy.files.writing import whole_file

if TYPE_CHECKING:
    from benchmarks.evaluation.run import Outcome, Plan
    from benchmarks.evaluation.workers import Workers
    from motioncopy.records import Record

_MOST_NAMED = 20
#: Files bear no driving joints, so that the pose is compared with the one found in the true frames.
_METRICS = "default,pose_error/truth_mediapipe,pose_missing/truth_mediapipe"


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="score videos that any system made",
        description="Scores a folder of videos against the true ones, by the path that the project's own methods take. "
        "A clip is a video, a GIF, a folder of images, or an .npy file of frames; clips are matched by name. Nothing "
        "is resized, resampled or cut: what does not match or is broken is reported, the others are scored, and the "
        "exit status is 3; it is 1 if nothing is scored.",
    )
    parser.add_argument("--generated", type=Path, metavar="DIR", help="the generated videos")
    parser.add_argument("--truth", type=Path, default=None, metavar="DIR", help="the true videos, of the same names")
    parser.add_argument(
        "--masks", default=None, metavar="DIR|detect", help="white on the person; or found in the true frames"
    )
    parser.add_argument(
        "--driving", type=Path, default=None, metavar="DIR", help="the videos whose motion was asked for"
    )
    parser.add_argument("--metrics", default=_METRICS, help="separated by commas: default, all, tcm, ssim/uniform")
    parser.add_argument("--list-metrics", action="store_true", help="say what each metric is, and stop")
    parser.add_argument("--protocol", default=None, metavar="ID", help="whose trials the clips are, such as puppets@1")
    parser.add_argument("--regime", choices=("personal", "general"), default="personal", help="of that protocol")
    parser.add_argument("--person", default=None, help="whose personal trials (default: the data set's own)")
    parser.add_argument("--data-root", default=None, help="where that data set lies")
    parser.add_argument(
        "--crop", choices=("frame", "person"), default="frame", help="what part of the protocol's frames was generated"
    )
    parser.add_argument("--name", default=None, help="what the system is called (default: the folder's name)")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: runs/evaluations/NAME")
    parser.add_argument("--fps", type=float, default=None, help="frame rate of files that do not know theirs")
    parser.add_argument("--processes", type=int, default=1, help="how many work side by side (default: %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="score again what has been scored before")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Scores, prints the table, writes the record.

    Returns:
        0 if every clip was scored and has every value, 3 if not all, 1 if none was scored.

    Raises:
        MotionCopyError: If nothing can be scored at all.
    """
    if args.list_metrics:
        return _list()
    if args.generated is None or (args.truth is None and args.protocol is None):
        raise ConfigError("evaluate needs --generated, and --truth or --protocol")
    if args.processes < 1:
        raise ConfigError("--processes must be at least 1", found=args.processes)
    if args.fps is not None and not 0 < args.fps < float("inf"):
        raise ConfigError("--fps must be a positive number", found=args.fps)
    processes.prepare()  # which takes seconds, as does importing torch here
    from benchmarks.evaluation.run import Plan, workers_of
    from motioncopy.metrics.catalogue import select

    keys = tuple(select([word.strip() for word in args.metrics.split(",")]))
    name = printable(args.name or args.generated.resolve().name)
    if args.out is None and Path(name).name != name:
        raise ConfigError("--name is no name of a folder", found=repr(name), remedy="give --out as well")
    plan = Plan(keys, args.out or Path("runs/evaluations") / name, args.fps, args.masks == "detect")
    with workers_of(plan, args.processes) as workers:
        return _run(args, name, plan, workers)


def _run(args: argparse.Namespace, name: str, plan: Plan, workers: Workers[Plan]) -> int:
    from benchmarks.evaluation import trial_files as protocols
    from benchmarks.evaluation.clips import find, match
    from benchmarks.evaluation.digest import protocol_of
    from benchmarks.evaluation.run import evaluate, sizes, survey
    from benchmarks.progress import Reporter
    from motioncopy.metrics.catalogue import definition

    folders: dict[str, Path | None] = {"truth": args.truth, "driving": args.driving, "mask": None, "real": None}
    if args.masks not in (None, "detect"):
        folders["mask"] = Path(args.masks)
    module, kinds, unread = None, None, dict[str, str]()
    if args.protocol is not None:
        module = protocols.data_of(args.protocol, regime=args.regime, person=args.person, root=args.data_root)
        kinds = protocols.kinds_of(module)
        if args.truth is None:
            videos = [path for clip, path in find(args.generated)[0].items() if clip in kinds]
            found = sizes(videos, workers)
            written, unread = protocols.write_truth(module, found, plan.folder / "protocol", args.crop)
            folders |= {role: path for role, path in written.items() if folders.get(role) is None}
    cases, failures = match(
        args.generated,
        folders["truth"],
        masks=folders["mask"],
        driving=folders["driving"],
        real=folders["real"],
        kinds=kinds,
    )
    failures |= unread
    surveyed = survey([case for case in cases if case.name not in failures], workers)
    failures |= surveyed.failures
    cases = [case for case in cases if case.name not in failures]
    if surveyed.rateless and args.fps is None and module is None:
        print(f"frame rate not stated by all files, and not compared (--fps states it): {_named(surveyed.rateless)}")
    reporter = Reporter("Frames", surveyed.frames)

    def progress(frames: int) -> None:
        if frames:
            reporter.update(reporter.count + frames)

    try:
        outcome = evaluate(cases, plan, workers, fresh=args.fresh, progress=progress)
    finally:
        reporter.close()
    outcome.failures |= failures
    if outcome.clips:
        protocol = module.protocol if module is not None else protocol_of(find(args.truth)[0], workers)
        _show(_record(args, name, plan.metrics, outcome, protocol), plan.folder, outcome)
    left_out.name(sorted(outcome.failures.items()), "not scored", sys.stdout)
    empty = _without_value(outcome)
    for key, clips in empty.items():
        print(f"no frame with a value: {definition(key).title}: {_named(clips)}")
    scored = sum(map(len, outcome.clips.values()))
    where = f" All of it lies in {printable(str(plan.folder))}." if scored else ""
    print(f"{scored} clips scored, {len(outcome.failures)} not.{where}")
    return left_out.status(scored, len(outcome.failures) + len(empty) + (not scored))


def _without_value(outcome: Outcome) -> dict[str, list[str]]:
    """Clips that a metric saw without finding a frame to count: an empty mask, one frame, frames that stand still."""
    found: dict[str, list[str]] = {}
    for clip in (clip for clips in outcome.clips.values() for clip in clips):
        for key, score in clip.scores.items():
            if score.value is None:
                found.setdefault(key, []).append(clip.clip)
    return found


def _named(clips: list[str]) -> str:
    more = len(clips) - _MOST_NAMED
    return ", ".join(clips[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _list() -> int:
    from motioncopy.metrics.catalogue import DEFAULTS, METRICS

    for key, kind in METRICS.items():
        one = kind.definition
        print(f"{key}{' (default)' if key in DEFAULTS else ''}: {one.title} {one.arrow} {one.unit}".rstrip())
        for label, text in (
            ("", one.text),
            ("source: ", one.source),
            ("choice: ", one.choice),
            ("mind: ", one.caution),
        ):
            if text:
                print(f"    {label}{text}")
    return 0


def _record(args: argparse.Namespace, name: str, keys: tuple[str, ...], outcome: Outcome, protocol: str) -> Record:
    from motioncopy import records
    from motioncopy.records.provenance import code, device, packages, portable, redacted

    created = records.now()
    roots = {"generated": args.generated, "work": Path.cwd(), "home": Path.home()}
    roots |= {role: path for role, path in (("truth", args.truth), ("driving", args.driving)) if path is not None}
    if args.masks not in (None, "detect"):
        roots["masks"] = Path(args.masks)
    masks = args.masks if args.masks in (None, "detect") else "given"
    asked = {"metrics": list(keys), "masks": masks, "crop": args.crop, "fps": args.fps, "protocol": args.protocol}
    failures = {redacted(clip, {}): printable(redacted(text, roots)) for clip, text in outcome.failures.items()}
    return records.Record(
        id=records.new_id(created, name[:80], "external"),
        created=created,
        kind="external",
        method=name,
        data=protocol.partition("@")[0],
        regime=args.regime,
        subject=args.person,
        protocol=protocol,
        config=portable(asked | {"not_scored": failures}, roots),
        code=code(),
        packages=packages(),
        device=device(0),
        networks=outcome.networks,
        results=outcome.results,
    )


def _show(record: Record, out: Path, outcome: Outcome) -> None:
    """Prints the table and keeps record, table and the values of every frame."""
    import codecs
    import csv

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from benchmarks.tables import columns
    from motioncopy import records

    with whole_file(out / "frames.csv") as file:
        rows = csv.writer(codecs.getwriter("utf-8")(file))
        rows.writerow(["kind", "clip", "frame", "metric", "value"])
        for kind, clips in outcome.clips.items():
            for clip in clips:
                for key, values in clip.values.items():
                    rows.writerows([kind, clip.clip, t, key, value] for t, value in enumerate(values))
    path = records.write(record, out / "records")
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    for kind, aggregates in record.results.aggregates.items():
        title = Text(f"{record.method}, {record.protocol}: {kind}")  # as it is: a name may hold brackets
        table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), min_width=len(title))
        for heading in ("metric", "value", "95% interval", "clips", "samples", "value by samples"):
            table.add_column(heading, justify="left" if heading in ("metric", "value by samples") else "right")
        for key, found in aggregates.items():
            interval = f"{found.low:.4g} to {found.high:.4g}" if found.low is not None else "–"
            curve = ", ".join(f"{n:.0f}: {value:.4g}" for n, value in found.curve)
            counts = str(found.clips), str(found.frames)
            table.add_row(columns.heading(key), f"{found.value:.4f}", interval, *counts, curve)
        console.print(table)
    reasons = dict(outcome.missing)
    told = {*reasons, *(key for aggregates in record.results.aggregates.values() for key in aggregates)}
    for clip in (clip for clips in outcome.clips.values() for clip in clips):
        reasons |= {key: reason for key, reason in clip.missing.items() if key not in told}
    for key, reason in reasons.items():
        print(f"without a value: {columns.title(key)}: {columns.short(reason)}")
    print(printable(f"record: {path}"), printable(f"values of every frame: {out / 'frames.csv'}"), sep="\n")

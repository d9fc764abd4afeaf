"""``motioncopy prepare``: videos to prepared clips."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import left_out
from motioncopy.errors import ConfigError, MotionCopyError
from motioncopy.files.names import printable

if TYPE_CHECKING:
    from motioncopy.footage.prepare import Backends, Prepared

_DEFAULT = "mediapipe"


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "prepare",
        help="find joints, masks and backgrounds of videos, once",
        description="Turns videos into prepared clips: frames, joints, the person's mask, the background. A clip that "
        "is there already is left alone, unless its video or a backend has changed. A video that cannot be prepared is "
        "named, the others are prepared, and the exit status is 3. Several of these commands may run on one folder.",
    )
    parser.add_argument(
        "videos", nargs="+", type=Path, metavar="VIDEO", help="video files, folders of images, HDF5 stacks"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the clips go: DIR/<video's name>")
    parser.add_argument(
        "--max-size", type=int, default=512, metavar="N", help="longest side of stored frames (default: %(default)s)"
    )
    parser.add_argument("--person", metavar="NAME", help="who is in the videos (default: the video's name)")
    parser.add_argument(
        "--parts", default="mask", help="what is made: mask, parsing, flow, separated by commas (default: %(default)s)"
    )
    parser.add_argument("--fps", type=float, metavar="N", help="frames per second of images and stacks")
    parser.add_argument(
        "--perception",
        default=_DEFAULT,
        metavar="NAME_OR_FILE",
        help="what sees: mediapipe, mediapipe_hands, openmmlab, hrnet, wholebody, openpose, fish, mouse, or a YAML "
        "file with a class_path and init_args for pose, mask, parser, background and flow (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="changes a value of that config, for instance pose.init_args.folder=DIR; may be repeated",
    )
    parser.add_argument("--hands", action="store_true", help="short for --perception mediapipe_hands")
    parser.add_argument("--force", action="store_true", help="make clips anew that need not be")
    parser.add_argument(
        "--overlays", action="store_true", help="draw what was found on some frames of each clip: DIR/overlays/*.png"
    )
    parser.add_argument("--overlay-videos", action="store_true", help="likewise on all frames: DIR/overlays/*.mp4")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Prepares the videos and says where the clips lie.

    Returns:
        0, 3 if a video failed, 1 if all did.

    Raises:
        ConfigError: If the arguments contradict themselves.
    """
    from motioncopy.footage.prepare import prepare_each  # OpenCV and PyAV take a moment to import

    results, failures = [], list[tuple[str, str]]()
    for result in prepare_each(
        args.videos,
        args.out,
        fps=args.fps,
        max_size=args.max_size,
        person=args.person,
        parts=tuple(filter(None, args.parts.split(","))),
        force=args.force,
        backends=_backends(args),
    ):
        results.append(result)
        print(printable(_line(result)), file=sys.stderr if result.outcome == "failed" else sys.stdout, flush=True)
        if result.outcome == "failed":
            failures.append((result.name, result.reason))
        elif args.overlays or args.overlay_videos:
            try:
                _draw(result.clip, args.out / "overlays", video=args.overlay_videos)
            except MotionCopyError as error:
                failures.append((f"overlays of {result.name}", str(error)))
    made = [r for r in results if r.outcome == "made"]
    if made:
        print(speed(made))
    done = sum(r.outcome != "failed" for r in results)
    if done:
        print(printable(f"The clips lie in {args.out}"))
    if len(results) > 1:  # the only one was named a moment ago
        left_out.name(failures, "not done")
    return left_out.status(done, len(failures))


def speed(made: list[Prepared]) -> str:
    """Frames per second of all videos together, and of each stage while it was at work."""
    frames = sum(r.frames for r in made)
    stages = {stage: sum(r.seconds.get(stage, 0) for r in made) for r in made for stage in r.seconds}
    whole = sum(r.elapsed for r in made)
    speeds = ", ".join(f"{stage} {frames / max(seconds, 1e-9):.0f}" for stage, seconds in stages.items())
    return (
        f"{frames} frames in {whole:.1f} s: {frames / max(whole, 1e-9):.0f} frames/s "
        f"(stages work at the same time; each by itself: {speeds})"
    )


def _backends(args: argparse.Namespace) -> Backends:
    from motioncopy.footage.perception import config

    name = args.perception
    if args.hands:
        if name != _DEFAULT:
            raise ConfigError(
                "--hands and --perception contradict each other",
                found=name,
                remedy="leave --hands out; the configs mediapipe_hands and wholebody give hands",
            )
        name = "mediapipe_hands"
    return config.load(name, **dict(config.parse_override(text) for text in args.set))


def _draw(clip: Path, folder: Path, *, video: bool) -> None:
    from benchmarks.pictures.clips import write_clip_pictures
    from motioncopy.footage.clips import Clip

    for file in write_clip_pictures(Clip.open(clip), folder, video=video):
        print(printable(f"  drawn: {file}"))


def _line(result: Prepared) -> str:
    name = result.name
    if result.outcome == "failed":
        return f"{name}: failed. {result.reason}"
    if result.outcome == "up to date":
        return f"{name}: up to date"
    again = "" if result.reason == "new" else f" anew, as {result.reason}"
    line = f"{name}: prepared{again}; {result.frames} frames, {result.found} of them with somebody in view"
    if result.unseen:
        line += f", {result.unseen:.0%} of the background never seen and filled in"
    return line

"""Measures perception: ``python -m benchmarks.perception WHAT``; ``table`` prints what was measured."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from benchmarks.perception import clips, report, scenes
from benchmarks.perception.evaluate import PARTS, PartScores, evaluate
from motioncopy.errors import MotionCopyError
from motioncopy.footage.perception import config

_HELP = """\
Measures perception, keeps what comes out, and prints it.

  people              the puppets, whose joints, masks, parsing, flow and backgrounds are known
  fish, mice          the animal puppets
  clip VIDEO JOINTS   agreement with stored joints (.slp with COCO's 17, .json with MediaPipe's 33)
  stills DIR          labelled stills of a mouse from above
  table               all that was kept, as Markdown
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, keeps and prints; 1 if something that the user can mend went wrong."""
    parser = argparse.ArgumentParser(description=_HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("people", "fish", "mice", "clip", "stills", "table"))
    parser.add_argument("files", nargs="*", type=Path, help="of clip and stills")
    parser.add_argument("--perception", default="mediapipe", help="config of the backends (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of that config; repeatable")
    parser.add_argument("--parts", default=",".join(PARTS), help="what is measured (default: %(default)s)")
    parser.add_argument("--size", type=int, default=256, help="of rendered frames (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=40, help="of each rendered clip (default: %(default)s)")
    parser.add_argument("--count", type=int, default=None, help="how many rendered clips (default: all)")
    parser.add_argument("--out", type=Path, default=report.RESULTS, help="where measurements are kept")
    args = parser.parse_args(arguments)
    try:
        if args.what == "table":
            print(report.markdown(report.read(args.out)))
            return 0
        rows = _measure(args)
    except MotionCopyError as error:
        print(f"benchmarks.perception: {error}", file=sys.stderr)
        return 1
    given = sys.argv[1:] if arguments is None else arguments
    words = [Path(word).name if Path(word).is_absolute() else word for word in given]  # no machine's folders
    name = "-".join(
        [
            args.what,
            *(f.stem for f in args.files[:1]),
            Path(args.perception).stem,
            *(entry.partition("=")[2] for entry in args.set),
        ]
    )
    kept = report.Measurement.made_here(
        name, f"python -m benchmarks.perception {shlex.join(words)}", _data(args), tuple(rows)
    )
    path = report.write(kept, args.out)
    print(report.markdown([kept]))
    print(f"Kept in {path}")
    return 0


def _measure(args: argparse.Namespace) -> list[PartScores]:
    backends = config.load(args.perception, **dict(config.parse_override(text) for text in args.set))
    if args.what == "clip":
        found = [clips.clip(*args.files)]
    elif args.what == "stills":
        found = [clips.stills(*args.files)]
    else:
        make = {"people": scenes.people, "fish": scenes.fish, "mice": scenes.mice}[args.what]
        rendered = make(args.size, args.frames, args.count)
        found = list(track(rendered, description="Rendering", transient=True, disable=not sys.stderr.isatty()))
    return evaluate(backends, found, args.parts.split(","))


def _data(args: argparse.Namespace) -> str:
    if args.what in ("clip", "stills"):
        return f"{args.files[0].name} ({'stored joints' if args.what == 'clip' else 'labelled stills'})"
    return f"puppets: {args.what}, {args.size}x{args.size}"


if __name__ == "__main__":
    sys.exit(main())

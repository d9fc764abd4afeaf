"""``python -m tests.fuzz.kill``: kill -9 of ``motioncopy prepare`` and ``fit`` at random moments, and what is left.

Whatever was done before a kill is there after it, nothing that is half done looks whole, and the same command goes on
to the same end: clips with the same arrays, and a method with the same weights, as without a kill.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
import yaml

from motioncopy.footage.clips import Clip, find_clips
from motioncopy.footage.video import VideoWriter
from tests.motioncopy.footage.perception.figures import walk
from tests.toys import write_clip

ROOT = Path(__file__).parents[2]
_FRAMES, _SIZE, _VIDEOS = 80, (96, 128), ("ann", "bea", "cid", "dora")
_STAGES = ("00-paint", "01-touch")


@dataclass(frozen=True)
class Work:
    """A command that is killed.

    Attributes:
        arguments: What stands behind ``motioncopy``, without the folder.
        folder: The option that names the folder it works in.
        whole: Takes a folder and gives what is whole in it, by name, as something that can be compared.
    """

    arguments: tuple[str, ...]
    folder: str
    whole: Callable[[Path], dict[str, object]]

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        """Starts it."""
        command = [sys.executable, "-m", "benchmarks.cli", *self.arguments, self.folder, str(folder)]
        folder.parent.mkdir(exist_ok=True)
        kept = folder.with_name("said").open("ab")
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=kept, stderr=kept)

    def said(self, folder: Path) -> str:
        """The end of what it said."""
        return folder.with_name("said").read_text()[-2000:]


def preparation(place: Path) -> Work:
    """``prepare`` of some videos, by backends that need no network."""
    images, joints, masks = walk(_FRAMES, _SIZE)
    poses = place / "poses"
    poses.mkdir()
    (place / "masks").mkdir()
    for k, points in enumerate(joints):
        cv2.imwrite(str(place / "masks" / f"{k:03}.png"), masks[k])
        people = [{"pose_keypoints_2d": points.ravel().astype(float).tolist()}]
        (poses / f"{k:03}.json").write_text(json.dumps({"people": people}))
    for name in _VIDEOS:
        with VideoWriter(place / f"{name}.mp4", 25, _SIZE) as writer:
            writer.write(images)
    parts = {"pose": "openpose.OpenPoseFolder", "mask": "precomputed.MaskFolder"}
    parts["background"] = "background.MedianBackground"
    config = {part: {"class_path": f"motioncopy.footage.perception.{name}"} for part, name in parts.items()}
    (place / "perception.yaml").write_text(yaml.safe_dump(config))
    videos = [str(place / f"{name}.mp4") for name in _VIDEOS]
    folders = ("--set", f"pose.init_args.folder={poses}", "--set", f"mask.init_args.folder={place / 'masks'}")
    perception = ["--perception", str(place / "perception.yaml"), *folders]
    return Work(("prepare", *videos, *perception), "--out", _clips)


def _clips(folder: Path) -> dict[str, object]:
    """Everything that looks like a clip, and is one."""
    shown = {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.is_dir() else set()
    found: dict[str, object] = {}
    for path in find_clips(folder) if folder.is_dir() else []:
        clip = Clip.open(path)
        clip.verify()
        found[path.name] = {name: part.sha256 for name, part in clip.manifest.parts.items()}
    if shown != set(found):
        raise AssertionError(f"{sorted(shown - set(found))} look whole and are none")
    return found


def training(place: Path) -> Work:
    """``fit`` of a small method of two stages."""
    clips = place / "clips"
    write_clip(clips, "ann")
    config = {
        "seed_everything": 3,
        "model": {"class_path": "tests.toys.ToyMethod", "init_args": {"epochs": 12, "batches": 20}},
        "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips)}},
        "trainer": {"accelerator": "cpu", "logger": False},
    }
    (place / "fit.yaml").write_text(yaml.safe_dump(config))
    return Work(("fit", "--config", str(place / "fit.yaml")), "--run", _weights)


def _weights(folder: Path) -> dict[str, object]:
    """The parameters of every stage and method that says it is done."""
    found: dict[str, object] = {}
    for name in _STAGES:
        last = folder / "stages" / name / "last.ckpt"
        state = _state(last) if last.is_file() else None  # one that is there can be read, whether it is done or not
        if (last.parent / "done.json").is_file():
            done = json.loads((last.parent / "done.json").read_text())
            found[name] = (done["steps"], done["samples_digest"], state)
    if (folder / "method.ckpt").is_file():
        found["method"] = _state(folder / "method.ckpt")
    return found


def _state(path: Path) -> dict[str, bytes]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return {name: np.asarray(values).tobytes() for name, values in state.items()}


def torture(work: Work, place: Path, *, kills: int, seed: int) -> list[str]:
    """Kills a command at random moments.

    Args:
        work: What.
        place: A folder for what it makes.
        kills: How many times it is killed before its end.
        seed: Of the moments.

    Returns:
        What was wrong afterwards.
    """
    folder = place / "unbroken" / "made"  # each in a folder of its own: a fit takes over what its neighbours have done
    process = work.start(folder)
    _begun(process, folder)
    begun = time.monotonic()
    if process.wait():
        return [f"it fails: {work.said(folder)}"]
    expected, seconds, rng = work.whole(folder), time.monotonic() - begun, Random(seed)
    print(f"{work.arguments[0]}: {seconds:.1f} s unbroken, {len(expected)} things made", flush=True)
    wrong: list[str] = []
    before: dict[str, object] = {}
    round_, killed = 0, 0
    while killed < kills or process.returncode == -9:
        folder = place / f"round-{round_}" / "made"
        process = work.start(folder)
        if rng.random() < 0.8:  # else while it is still starting
            _begun(process, folder)
        moment = rng.uniform(0, seconds)
        try:
            process.wait(moment if killed < kills and before.keys() != expected.keys() else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        try:
            there = work.whole(folder)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with what was left is what is looked for
            wrong.append(f"after {moment:.2f} s: {type(error).__name__}: {error}")
            there = {}
        lost = [name for name in before if there.get(name) != before[name]]
        other = [name for name in there if there[name] != expected.get(name)]
        wrong += [f"after {moment:.2f} s: {name} was there and is lost or changed" for name in lost]
        wrong += [f"after {moment:.2f} s: {name} is not as without a kill" for name in other]
        how = f"killed after {moment:5.2f} s ({killed} of {kills})" if process.returncode == -9 else "ran to its end"
        print(f"  round {round_}: {how}: {len(there)} of {len(expected)} whole", flush=True)
        before = there
        if process.returncode not in (0, -9):
            wrong.append(f"it failed: {work.said(folder)}")
        if process.returncode != -9:
            if there.keys() != expected.keys():
                wrong.append(f"round {round_} ended without {sorted(expected.keys() - there.keys())}")
            left = [p.name for p in folder.iterdir() if ".partial" in p.name]
            wrong += [f"{name} is left over" for name in left]
            before, round_ = {}, round_ + 1
    return wrong


def _begun(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Waits until it writes: starting Python takes longer than the work."""
    known = {path: path.stat().st_mtime_ns for path in folder.rglob("*")} if folder.is_dir() else {}
    while process.poll() is None:
        time.sleep(0.02)
        with suppress(OSError):
            if folder.is_dir() and any(known.get(p) != p.stat().st_mtime_ns for p in folder.rglob("*")):
                return


def main() -> int:
    """Kills both.

    Returns:
        1 if anything was lost or is not what it looks like.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.kill", description="kill -9 at random moments")
    parser.add_argument("--kills", type=int, default=20, help="of each command (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    arguments = parser.parse_args()
    wrong = []
    for make in (preparation, training):
        with TemporaryDirectory() as place:
            found = torture(make(Path(place)), Path(place), kills=arguments.kills, seed=arguments.seed)
        print(f"{make.__name__}: {arguments.kills} kills, {len(found)} faults\n" + "".join(f"  {f}\n" for f in found))
        wrong += found
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

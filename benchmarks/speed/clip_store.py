"""Formats of the clip store, in one run: ``python -m benchmarks.speed.clip_store [--video FILE]``.

A training window is 5 consecutive frames of 256x256 from a random place of the clip. The goal, as a ratio within a
run: the memory map, which is what the store does, at least 100 times H.264 through decord. The files are in the page
cache, as they are in training where the data set fits the memory; where not, the disk's bytes a second set the limit.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.timing import medians
from motioncopy.footage.clips import Clip, ClipWriter
from motioncopy.footage.video import VideoReader, VideoWriter

SIZE = (256, 256)
WINDOW = 5
FPS = 30.0

Images = NDArray[np.uint8]
Read = Callable[[int], Images]


@dataclass(frozen=True)
class Format:
    """A way to store frames.

    Attributes:
        name: As it stands in the table.
        bytes: Bytes a frame on the disk.
        read: Gives the window that starts at a frame.
    """

    name: str
    bytes: float
    read: Read


def synthetic(frames: int) -> Images:
    """A textured shape that swings before a textured place, with a camera's grain."""
    rng = np.random.default_rng(0)
    place, cloth = (sum(_octave(rng, scale, 8 * scale**0.5) for scale in (1, 3, 9, 27)) + 128 for _ in range(2))
    images = np.empty((frames, *SIZE, 3), np.uint8)
    for i, image in enumerate(images):
        centre = (128 + round(60 * np.sin(i / 9)), 130 + round(20 * np.cos(i / 5)))
        shape = cv2.ellipse(np.zeros(SIZE, np.float32), centre, (28, 90), 15 * np.sin(i / 7), 0, 360, 1.0, -1)
        moved = np.roll(cloth, (centre[1], centre[0]), (0, 1))
        scene = np.where(shape[..., None] > 0, moved, place) + rng.normal(0, 2, (*SIZE, 3))
        image[:] = scene.clip(0, 255)
    return images


def _octave(rng: np.random.Generator, scale: float, strength: float) -> NDArray[np.float64]:
    """Smooth noise, mostly grey, with details of about ``scale`` pixels and that standard deviation."""
    noise = cv2.GaussianBlur(rng.normal(0, 1, (*SIZE, 1)) + 0.3 * rng.normal(0, 1, (*SIZE, 3)), None, scale)
    return np.asarray(noise * strength / noise.std())


def from_video(path: Path, frames: int) -> Images:
    """The first frames of a video, the middle square of each, at 256x256."""
    with VideoReader(path) as reader:
        height, width = reader.size
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        taken = [
            cv2.resize(image[top : top + side, left : left + side], SIZE[::-1], interpolation=cv2.INTER_AREA)
            for start in range(0, min(frames, len(reader)), 16)
            for image in reader.frames(range(start, min(start + 16, frames, len(reader))))
        ]
    return np.stack(taken).astype(np.uint8, copy=False)


def as_clip(images: Images, masks: Images, folder: Path) -> Clip:
    """The store itself."""
    writer = ClipWriter(
        folder / "clip",
        clip_id="clip",
        person="nobody",
        fps=FPS,
        size=SIZE,
        skeleton="body25",
        source=None,
        backends={},
    )
    with writer:
        writer.append(images, np.zeros((len(images), 25, 3), np.float32), masks)
        writer.set_background(images[0])
    return Clip.open(folder / "clip")


def as_jpeg(images: Images, folder: Path) -> Format:
    """JPEG at quality 95, all frames in one file with an index in memory."""
    coded = [cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for image in images]
    (folder / "frames.jpg").write_bytes(b"".join(coded))
    ends = np.cumsum([len(c) for c in coded]).tolist()
    starts = [0, *ends[:-1]]
    file = os.open(folder / "frames.jpg", os.O_RDONLY)

    def decode(frame: int) -> Images:
        content = np.frombuffer(os.pread(file, ends[frame] - starts[frame], starts[frame]), np.uint8)
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB), np.uint8)

    return Format("JPEG, quality 95", ends[-1] / len(images), lambda s: np.stack([decode(i) for i in _window(s)]))


def as_h264(images: Images, folder: Path) -> Format:
    """H.264 at x264's default distance between keyframes, read through decord."""
    path = folder / "frames.mp4"
    with VideoWriter(path, FPS, SIZE) as writer:
        writer.write(images)
    reader = VideoReader(path)
    return Format("H.264 by decord, crf 18", path.stat().st_size / len(images), lambda s: reader.frames(_window(s)))


def as_bits(masks: Images, folder: Path) -> Format:
    """Masks cut to one bit a pixel."""
    np.save(folder / "bits.npy", np.packbits(masks > 127, axis=-1))
    bits = np.load(folder / "bits.npy", mmap_mode="r")
    return Format(
        "mask: one bit",
        (folder / "bits.npy").stat().st_size / len(masks),
        lambda s: np.unpackbits(bits[np.asarray(_window(s))], axis=-1) * np.uint8(255),
    )


def windows_per_second(formats: list[Format], frames: int, rounds: int, seconds: float) -> list[float]:
    """Medians over rounds in which the formats take turns."""
    rng = np.random.default_rng(0)

    def read(form: Format) -> None:
        form.read(int(rng.integers(0, frames - WINDOW + 1)))

    taken = medians({form.name: partial(read, form) for form in formats}, rounds, seconds)
    return [1 / taken[form.name] for form in formats]


def psnr(form: Format, images: Images) -> float:
    """Of the first window, in dB; infinite where nothing is lost."""
    error = np.square(form.read(0).astype(np.float64) - images[:WINDOW]).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="a video to take frames from, instead of a synthetic one")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each format and round")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    images = from_video(arguments.video, arguments.frames) if arguments.video else synthetic(arguments.frames)
    masks = np.where(images[..., 0] > 127, np.uint8(255), np.uint8(0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = as_clip(images, masks, folder)
        size = {name: part.bytes / len(images) for name, part in clip.manifest.parts.items()}
        pictures = [
            Format("memory map, uint8", size["images"], lambda s: clip.images(_window(s))),
            as_jpeg(images, folder),
            as_h264(images, folder),
        ]
        cuts = [
            Format("mask: memory map, uint8", size["mask"], lambda s: clip.mask(_window(s))),
            as_bits(masks, folder),
        ]
        rates = windows_per_second([*pictures, *cuts], len(images), arguments.rounds, arguments.seconds)
        print(f"{len(images)} frames, windows of {WINDOW}; {arguments.video.name if arguments.video else 'synthetic'}")
        print(f"{'format':<24} {'windows/s':>10} {'ratio':>8} {'bytes/frame':>12} {'PSNR':>6}")
        for form, rate in zip([*pictures, *cuts], rates, strict=True):
            against = rates[2] if form in pictures else rates[4]
            quality = f"{psnr(form, images):.1f}" if form in pictures else ""
            print(f"{form.name:<24} {rate:>10,.0f} {rate / against:>7.1f}x {form.bytes:>12,.0f} {quality:>6}")


def _window(start: int) -> range:
    return range(start, start + WINDOW)


if __name__ == "__main__":
    main()

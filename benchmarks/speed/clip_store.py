"""Formats of the clip store, in one run: ``python -m benchmarks.speed.clip_store [--video FILE]``.

A training window is 5 consecutive frames of 256x256 from a random place of the clip. The goal, as a ratio within a
run: the memory map, which is what the store does, at least 100 times H.264 through decord. The files are in the page
cache, as they are in training where the data set fits the memory; where not, the disk's bytes a second set the limit.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.harness import compare, options, set_threads
from motioncopy.footage.clips import Clip, ClipWriter
from motioncopy.footage.video import VideoReader, VideoWriter

SIZE = (256, 256)
WINDOW = 5
FPS = 30.0

Images = NDArray[np.uint8]
Read = Callable[[range], Images]


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
        middle = slice(top, top + side), slice(left, left + side)
        first = (image for chunk in reader.chunks(16) for image in chunk)
        taken = [cv2.resize(image[middle], SIZE, interpolation=cv2.INTER_AREA) for image in islice(first, frames)]
    return np.stack(taken).astype(np.uint8, copy=False)


def as_clip(images: Images, masks: Images, folder: Path) -> dict[str, Read]:
    """The store itself: frames and masks."""
    writer = ClipWriter(folder / "clip", clip_id="clip", person="nobody", fps=FPS, size=SIZE, skeleton="body25",
                        source=None, backends={})  # fmt: skip
    with writer:
        writer.append(images, np.zeros((len(images), 25, 3), np.float32), masks)
        writer.set_background(images[0])
    clip = Clip.open(folder / "clip")
    sizes = {name: part.bytes / len(images) for name, part in clip.manifest.parts.items()}
    return {
        f"memory map, uint8, {sizes['images']:,.0f} bytes": clip.images,
        f"memory map, uint8, {sizes['mask']:,.0f} bytes": clip.mask,
    }


def as_jpeg(images: Images, folder: Path) -> dict[str, Read]:
    """JPEG at quality 95, all frames in one file with an index in memory."""
    coded = [cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for image in images]
    (folder / "frames.jpg").write_bytes(b"".join(coded))
    ends = np.cumsum([len(c) for c in coded]).tolist()
    starts = [0, *ends[:-1]]
    file = os.open(folder / "frames.jpg", os.O_RDONLY)

    def decode(frame: int) -> Images:
        content = np.frombuffer(os.pread(file, ends[frame] - starts[frame], starts[frame]), np.uint8)
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB), np.uint8)

    return _named("JPEG, quality 95", ends[-1], lambda window: np.stack([decode(i) for i in window]), images)


def as_h264(images: Images, folder: Path) -> dict[str, Read]:
    """H.264 at x264's default distance between keyframes, read through decord."""
    path = folder / "frames.mp4"
    with VideoWriter(path, FPS, SIZE) as writer:
        writer.write(images)
    return _named("H.264 by decord, crf 18", path.stat().st_size, VideoReader(path).frames, images)


def as_bits(masks: Images, folder: Path) -> dict[str, Read]:
    """Masks cut to one bit a pixel."""
    path = folder / "bits.npy"
    np.save(path, np.packbits(masks > 127, axis=-1))
    bits = np.load(path, mmap_mode="r")
    name = f"one bit a pixel, {path.stat().st_size / len(masks):,.0f} bytes"
    return {name: lambda window: np.unpackbits(bits[np.asarray(window)], axis=-1) * np.uint8(255)}


def _named(name: str, size: int, read: Read, images: Images) -> dict[str, Read]:
    quality = cv2.PSNR(read(range(WINDOW)), images[:WINDOW])
    return {f"{name}, {size / len(images):,.0f} bytes, {quality:.1f} dB": read}


def main() -> None:
    """Prints how long a window takes in each format, bytes a frame, and the PSNR where something is lost."""
    parser = options(__doc__, frames=300, rounds=5, seconds=0.5)
    parser.add_argument("--video", type=Path, help="a video to take frames from, instead of a synthetic one")
    arguments = parser.parse_args()
    set_threads(1)
    images = from_video(arguments.video, arguments.frames) if arguments.video else synthetic(arguments.frames)
    masks = np.where(images[..., 0] > 127, np.uint8(255), np.uint8(0))
    rng = np.random.default_rng(0)

    def read(form: Read) -> None:
        start = int(rng.integers(0, len(images) - WINDOW + 1))
        form(range(start, start + WINDOW))

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frames, cuts = ({name: form} for name, form in as_clip(images, masks, folder).items())
        frames |= as_jpeg(images, folder) | as_h264(images, folder)
        cuts |= as_bits(masks, folder)
        for case, forms in (("frames", frames), ("masks", cuts)):
            calls = {name: partial(read, form) for name, form in forms.items()}
            compare(case, calls, arguments.rounds, seconds=arguments.seconds)


if __name__ == "__main__":
    main()

"""Pictures of results: a video frame with everything side by side, and a sheet of a clip's frames.

All images are RGB ``(H, W, 3)`` uint8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL.PngImagePlugin import PngInfo

from motioncopy.errors import BatchError, RecordError
from motioncopy.files.writing import check_writable, whole_file

Image = npt.NDArray[np.uint8]

#: Images are enlarged by the whole number that brings them to about this height, so that captions can be read.
HEIGHT = 224
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPTION = 24  # pixels: the height of a caption's strip
_GAP = 4  # pixels between panels
_PAPER, _INK = (255, 255, 255), (32, 32, 32)


def side_by_side(
    appearance: Image,
    motion: Iterable[Image],
    generated: Iterable[Image],
    truth: Iterable[Image] | None = None,
    labels: Sequence[str] = ("appearance", "motion", "generated", "truth"),
) -> Iterator[Image]:
    """The frames of a video that shows who is shown, what is done, what came of it and the truth.

    Takes and gives one frame at a time: memory does not grow with the length.

    Args:
        appearance: ``(H, W, 3)``, the same in every frame.
        motion: T drawn poses, ``(H, W, 3)`` each.
        generated: T images.
        truth: T images, or ``None`` where there are none.
        labels: The captions, in this order; one that has no panel is left out.

    Yields:
        T images of even height and width (what H.264 asks for).

    Raises:
        BatchError: If an image is not uint8 ``(H, W, 3)`` of the first one's size, or the lengths differ.
    """
    moving = [motion, generated] if truth is None else [motion, generated, truth]
    frames = iter(zip(*moving, strict=True))
    while True:
        try:
            panels = next(frames)
        except StopIteration:
            return
        except ValueError as error:
            raise BatchError("motion, generated and truth differ in length") from error
        yield _even(_row([appearance, *panels], labels))


def evenly_spaced(total: int, count: int) -> list[int]:
    """Indices of at most ``count`` frames out of ``total``, from the first to the last."""
    return [int(i) for i in np.unique(np.linspace(0, total - 1, min(count, total)).round())]


def contact_sheet(rows: Mapping[str, Sequence[Image]], columns: int = 8, numbers: Sequence[int] | None = None) -> Image:
    """One image of a clip: a row for each of motion, generated, baselines and truth, a column for each moment.

    Args:
        rows: For each caption, either T images, or one that stands for all (the appearance).
        columns: Number of evenly spaced frames.
        numbers: The frames' numbers in the captions, where the T images are not a clip's first T.

    Returns:
        An image of even height and width.

    Raises:
        BatchError: If there is no image, an image has another shape than the first, or the lengths differ.
    """
    lengths = {len(images) for images in rows.values()} - {1}
    if 0 in lengths or not rows or len(lengths) > 1:
        raise BatchError(
            "the rows of a contact sheet differ in length",
            expected="T images each, or one",
            found={caption: len(images) for caption, images in rows.items()},
        )
    moments = evenly_spaced(lengths.pop() if lengths else 1, columns)
    first = next(iter(rows.values()))[0]
    height, width = (n * _factor(first) for n in first.shape[:2])
    margin = max(_text_width(caption) for caption in rows) + 2 * _GAP
    sheet = _blank(_CAPTION + len(rows) * (height + _GAP), margin + len(moments) * (width + _GAP))
    for column, moment in enumerate(moments):
        left = margin + column * (width + _GAP)
        _write(sheet[:_CAPTION, left : left + width], f"frame {numbers[moment] if numbers else moment}")
    for line, (caption, images) in enumerate(rows.items()):
        top = _CAPTION + line * (height + _GAP)
        _write(sheet[top : top + height, :margin], caption)
        for column, moment in enumerate(moments if len(images) > 1 else [0]):
            left = margin + column * (width + _GAP)
            sheet[top : top + height, left : left + width] = _enlarged(images[moment], first.shape)
    return _even(sheet)


def write_png(image: Image, path: Path, comment: str | None = None) -> Path:
    """Writes an image, whole or not at all.

    Args:
        image: ``(H, W, 3)`` uint8.
        path: Where.
        comment: Kept in the file's metadata.

    Raises:
        RecordError: If the file cannot be written.
    """
    metadata = PngInfo()
    if comment is not None:
        metadata.add_text("Comment", comment)
    check_writable(path.parent, error=RecordError)
    with whole_file(path, error=RecordError) as file:
        PIL.Image.fromarray(image).save(file, format="PNG", pnginfo=metadata)
    return path


def _row(panels: Sequence[Image], labels: Sequence[str]) -> Image:
    enlarged = [_enlarged(panel, panels[0].shape) for panel in panels]
    height, width = enlarged[0].shape[:2]
    row = _blank(_CAPTION + height, len(panels) * (width + _GAP) - _GAP)
    for i, (panel, label) in enumerate(zip(enlarged, labels, strict=False)):
        left = i * (width + _GAP)
        _write(row[:_CAPTION, left : left + width], label)
        row[_CAPTION:, left : left + width] = panel
    return row


def _factor(image: Image) -> int:
    height: int = image.shape[0]
    return max(1, round(HEIGHT / height))


def _enlarged(image: Image, shape: tuple[int, ...]) -> Image:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.shape != shape:
        raise BatchError(
            "an image of a picture is wrong", expected=f"uint8 {shape}", found=f"{image.dtype} {image.shape}"
        )
    factor = _factor(image)
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _blank(height: int, width: int) -> Image:
    return np.full((height, width, 3), _PAPER, dtype=np.uint8)


def _text_width(text: str, scale: float = 0.5) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])


def _write(area: Image, text: str) -> None:
    """Writes into the middle of an area, smaller where the text is too wide for it."""
    scale = min(0.5, 0.5 * (area.shape[1] - 2) / max(1, _text_width(text)))
    left = (area.shape[1] - _text_width(text, scale)) // 2
    cv2.putText(area, text, (left, area.shape[0] // 2 + 5), _FONT, scale, _INK, 1, cv2.LINE_AA)


def _even(image: Image) -> Image:
    height, width = image.shape[:2]
    even = _blank(height + height % 2, width + width % 2)
    even[:height, :width] = image
    return even

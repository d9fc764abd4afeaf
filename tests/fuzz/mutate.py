"""Turns valid inputs into hostile ones: bytes, names, and by each file's form what stands in it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from random import Random

from tests.fuzz import structures, values
from tests.fuzz.files import Files, Odd

_INTEGERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 2**63 - 1,
             2**63, 2**64 - 1)  # fmt: skip
_LARGEST = 2**20  # bytes of a file that mutations have made

#: Of files: large numbers, no number, too long, hidden, no text, what a shell or HTML takes amiss.
NAMES = (
    "1700000000", "99999999999999999999999999", "0" * 200, "x" * 240, "\udcff\udcfe", ".hidden", "-rf", "a\nb",
    "é" * 60, "<script>alert(1)<", "$(touch x)", "CON", " ", "..x", "a\\..\\b", "%s%n", "٣", "²",
)  # fmt: skip
_LINES = (
    "../../x", "/etc/passwd", "a\0b", '"', "'", "\ufeff", "\u2028", "nan nan nan", "1e999", "9" * 5000, "x" * 100_000,
    "=1+1", "\x1b[2J", "000/0/0", "999/999/99", "٠٠١/9/1", ",,,", "clip,person,split", "\r", "-0", "inf", "1_000",
)  # fmt: skip


def mutated(seeds: Sequence[Files], rng: Random) -> Files:
    """A hostile input: one of the valid ones, changed in one to six places.

    Args:
        seeds: The valid ones.
        rng: Decides; the same numbers give the same input.
    """
    files = dict(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if not files or rng.random() < (0.3 if len(files) > 1 else 0.03):
            _change_names(files, rng)
            continue
        name = rng.choice(sorted(files))
        content = files[name]
        if isinstance(content, bytes):
            files[name] = change_content(name, content, rng, seeds)[:_LARGEST]
    return files


def change_content(name: str, content: bytes, rng: Random, seeds: Sequence[Files]) -> bytes:
    """Changes a file: half of the time what stands in it, by its form, else its bytes."""
    form = PurePosixPath(name).suffix.lower()
    change = _FORMS.get(form)
    if form in _PARSED and any(name in files and files[name] is content for files in seeds):
        change = _PARSED[form]
    if change is not None and rng.random() < 0.6:
        return change(content, rng)
    others = [c for files in seeds for c in files.values() if isinstance(c, bytes)]
    return change_bytes(content, rng, rng.choice(others))


def change_bytes(content: bytes, rng: Random, other: bytes = b"") -> bytes:
    """Changes bytes, without an idea of what they mean."""
    data = bytearray(content)
    size = len(data)
    at, length = rng.randrange(size + 1), min(rng.choice((1, 2, 4, 16, 200, 3000)), size)
    match rng.randrange(9):
        case 0 if size:
            for _ in range(rng.choice((1, 1, 2, 8, 60))):
                data[rng.randrange(size)] ^= 1 << rng.randrange(8)
        case 1:
            del data[at:]
        case 2:
            del data[at : at + length]
        case 3:
            data[at:at] = bytes(rng.randrange(256) for _ in range(min(length, 32)))
        case 4:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 30))
        case 5:
            data[at : at + length] = rng.choice((b"\0", b"\xff", b"A")) * length
        case 6:
            part = rng.randrange(len(other) + 1)
            data[at:] = other[part:]
        case _ if size:
            _put_integer(data, rng)
        case _:
            data += rng.choice((b"\0", b"\n", b"{", b"PK\x03\x04", b"\x80\x04."))
    return bytes(data)


def _put_integer(data: bytearray, rng: Random) -> None:
    """An interesting integer at a place where the format may keep one: mostly in the head, and mostly aligned."""
    width = rng.choice((1, 2, 4, 8))
    within = len(data) if rng.random() < 0.4 else min(len(data), 600)
    at = rng.randrange(within)
    at -= at % rng.choice((1, 2, width))
    value = rng.choice(_INTEGERS) + rng.choice((-1, 0, 0, 1))
    data[at : at + width] = (value % 256**width).to_bytes(width, rng.choice(("little", "big")))


def _change_names(files: dict[str, bytes | Odd], rng: Random) -> None:
    """Takes a file away, renames it, puts something else or another file in its place, or adds one."""
    if not files:
        files[rng.choice(NAMES)] = b""
        return
    name = rng.choice(sorted(files))
    path = PurePosixPath(name)
    match rng.randrange(7):
        case 0:
            del files[name]
        case 1 | 2:
            new = rng.choice((rng.choice(NAMES), re.sub(r"\d+", rng.choice(("1700000000", "007", "")), path.stem), ""))
            files[str(path.with_name((new or "x") + path.suffix))] = files.pop(name)
        case 3:
            files[name] = rng.choice(list(Odd))
        case 4:
            other = rng.choice(sorted(files))
            files[name], files[other] = files[other], files[name]
        case 5:
            files[str(path.with_name(f"{rng.choice(NAMES)}{path.suffix}"))] = files[name]
        case _:
            files[str(path.with_suffix(rng.choice((".zip", ".JPG", ".npz", ".json", "", ".yaml"))))] = files.pop(name)


def change_png(content: bytes, rng: Random) -> bytes:
    """Changes a chunk and mends its checksum, without which nothing reads further."""
    chunks, at = [], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return change_bytes(content, rng)
    number = rng.randrange(len(chunks))
    kind, data = chunks[number]
    match rng.randrange(4):
        case 0:
            data = change_bytes(data, rng)
        case 1:
            kind, data = chunks[0]
            number, data = 0, struct.pack(">II", rng.choice(_SIDES), rng.choice(_SIDES)) + data[8:]
        case 2:
            number, data = 0, chunks[0][1][:8] + bytes(rng.randrange(17) for _ in range(5))
            kind = chunks[0][0]
        case _:
            kind = rng.choice((b"acTL", b"eXIf", b"iCCP", b"zTXt", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
    chunks[number] = (kind, data)
    if rng.random() < 0.2:
        chunks.insert(rng.randrange(len(chunks)), rng.choice(chunks))
    return content[:8] + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )


_SIDES = (0, 1, 7, 4000, 8193, 30_000, 65_535, 2**20, 2**31 - 1, 2**31, 2**32 - 1)


def change_sides(content: bytes, rng: Random) -> bytes:
    """Puts other widths and heights where a GIF, a BMP, a JPEG or a PNM has them."""
    width, height = rng.choice(_SIDES), rng.choice(_SIDES)
    data = bytearray(content)
    if data[:3] == b"GIF":
        at = rng.choice([6, *(k + 5 for k in range(len(data) - 9) if data[k] == 0x2C)])
        data[at : at + 4] = struct.pack("<HH", width % 2**16, height % 2**16)
    elif data[:2] == b"BM":
        data[18:26] = struct.pack("<II", width, height)
    elif data[:2] == b"\xff\xd8":
        for k in range(len(data) - 9):
            if data[k] == 0xFF and data[k + 1] in (0xC0, 0xC2):
                data[k + 5 : k + 9] = struct.pack(">HH", height % 2**16, width % 2**16)
    elif data[:1] == b"P":
        numbers = [str(rng.choice((*_SIDES, -1, "9" * 400, ""))) for _ in range(3)]
        data[:] = re.sub(rb"^(P\d)\s+\d+\s+\d+\s+\d+", rb"\g<1>\n" + " ".join(numbers).encode(), bytes(data))
    else:
        return change_bytes(content, rng)
    return bytes(data)


def change_boxes(content: bytes, rng: Random) -> bytes:
    """Takes away, repeats, swaps or resizes a box of an MP4, or puts an interesting integer into one."""
    places = [m.start() - 4 for m in re.finditer(rb"[a-z]{3}[a-z0-9 ]", content) if m.start() >= 4]
    boxes = [(at, size) for at in places if 8 <= (size := int.from_bytes(content[at : at + 4])) <= len(content) - at]
    if not boxes:
        return change_bytes(content, rng)
    at, size = rng.choice(boxes)
    box = content[at : at + size]
    match rng.randrange(5):
        case 0:
            box = b""
        case 1:
            box *= 2
        case 2:
            box = rng.choice(_INTEGERS[:12]).to_bytes(8)[-4:] + box[4:]
        case 3:
            other, length = rng.choice(boxes)
            box = content[other : other + length]
        case _:
            body = bytearray(box[8:])
            if body:
                _put_integer(body, rng)
            box = box[:8] + bytes(body)
    return content[:at] + box + content[at + size :]


def change_lines(content: bytes, rng: Random) -> bytes:
    """Changes a table or a list in text."""
    lines = content.decode("utf-8", "replace").split("\n")
    number = rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            lines[number] = rng.choice(_LINES)
        case 1:
            lines.insert(number, lines[number])
        case 2:
            del lines[number]
        case 3:
            cells = re.split(r"([,/ ])", lines[number])
            cells[rng.randrange(len(cells))] = rng.choice(_LINES)
            lines[number] = "".join(cells)
        case _:
            lines = lines[:number] + lines[number : number + 1] * rng.choice((3, 2000)) + lines[number:]
    return "\n".join(lines).encode(rng.choice(("utf-8", "utf-8", "utf-16", "utf-8-sig")), "surrogatepass")


def _image(content: bytes, rng: Random) -> bytes:
    return change_png(content, rng) if content[1:4] == b"PNG" else change_sides(content, rng)


_FORMS: dict[str, Callable[[bytes, Random], bytes]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".gif"), _image),
    **dict.fromkeys((".mp4", ".mov"), change_boxes),
    **dict.fromkeys((".csv", ".txt"), change_lines),
    ".npy": structures.change_npy,
    ".h5": structures.change_hdf5,
}
# These read what they change, and nothing bounds them: what has been changed before is not for them.
_PARSED: dict[str, Callable[[bytes, Random], bytes]] = {
    ".json": values.change_json,
    ".yaml": values.change_yaml,
    ".pkl": structures.change_pickle,
    ".ckpt": structures.change_torch,
    ".pth": structures.change_torch,
}

"""Inputs made to harm, which chance would hardly find: each goes to its reader once in every run.

Those for pickles and for HDF5 files are in their unit tests, each by name and with the message that it gets.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from motioncopy.training import checkpoint
from tests.fuzz import bait, seeds
from tests.fuzz.files import Files, Odd
from tests.fuzz.structures import CALLS, Call, dumped
from tests.fuzz.values import asked

_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"
_NONSENSE = (b"", b"\0" * 4096, b"\xff" * 999, _POINTER, b"PK\x03\x04", b"{" * 70_000)
_LARGE = 30_000


def inputs(reader: str, valid: Sequence[Files]) -> list[Files]:
    """The hostile inputs of a reader; for all of them some files that are not what their names say.

    Args:
        reader: Its name.
        valid: Its valid inputs.
    """
    made: list[Files] = []
    for name in valid[0]:
        made += [{**valid[0], name: content} for content in (*_NONSENSE, *Odd)]
        if len(made) > 40:
            break
    return [{}, *made, *_OF.get(reader, list)()]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side: int = _LARGE, depth: int = 1) -> bytes:
    """A hundred kilobytes that are nine hundred million pixels."""
    packer, row = zlib.compressobj(9), b"\0" * (1 + side * depth // 8)
    data = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _large_heads() -> dict[str, bytes]:
    """Images that claim much and hold nothing."""
    tiff = io.BytesIO()
    Image.new("1", (_LARGE, _LARGE)).save(tiff, "TIFF", compression="tiff_deflate")
    return {
        "a.png": png_bomb(), "b.png": png_bomb(8192, 8),
        "c.pgm": b"P5 60000 60000 255\n", "d.ppm": b"P6 1 1 99999999999\n ",
        "e.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 60_000, -60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "f.tif": tiff.getvalue(), "g.jpg": seeds.jpeg((9000, 9000)), "h.pgm": b"P5 " + b"9" * 99_999 + b" 1 255\n",
        "i.pgm": b"P2 2 2 65535\n" + b"1 " * 9, "j.hdr": b"#?RADIANCE\n\n-Y 60000 +X 60000\n",
    }  # fmt: skip


def _pictures() -> list[Files]:
    return [{name: content} for name, content in _large_heads().items()]


def _folders() -> list[Files]:
    """Frames with numbers that count to the moon, twice the same number, and one that is too large."""
    png = seeds.image_folders()[0]["0.png"]
    assert isinstance(png, bytes)
    numbers = ("1700000000", "99999999999999999999999", "9" * 250, "000", "00", "٣", "²", "1e9", "-1")
    made: list[Files] = [{"0.png": png, "1.png": png, f"{number}.png": png} for number in numbers]
    made += [{"0.png": png, f"1{name[1:]}": content} for name, content in list(_large_heads().items())[:3]]
    return [*made, {f"{k}.png": png for k in range(1500)}, {f"{k}-{k}.png": png for k in (1, 9, 9**9)}]


def _gifs() -> list[Files]:
    """Of very many frames, of a huge screen, and of frames beyond it."""
    head, tail = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff", b";"
    frame = b"\x21\xf9\x04\x04\x04\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    large = b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    beyond = frame.replace(b"\x2c\0\0\0\0\1\0\1\0", b"\x2c\xff\xff\xff\xff\xff\xff\xff\xff")
    films = (
        head + frame * 12_000 + tail,
        large + frame + tail,
        head + beyond * 3 + tail,
        head + tail,
        head + frame * 3,
    )
    return [{"film.gif": film} for film in films]


def _arrays() -> list[Files]:
    """An array of objects, which is a pickle; archives by another name."""
    objects, archive = io.BytesIO(), io.BytesIO()
    np.save(objects, np.array([None, {1}], object), allow_pickle=True)
    np.savez(archive, a=np.zeros(3))
    evil = objects.getvalue()[:128] + dumped(Call("os.system", (bait.PAYLOAD,)), 2)
    return [{"film.npy": content} for content in (objects.getvalue(), archive.getvalue(), evil)]


def _checkpoints() -> list[Files]:
    """Classes, functions and modules at every depth of a method, and values that it does not expect."""
    content: dict[str, Any] = {
        "schema": checkpoint.SCHEMA, "class_path": "methods.fakemotion.FakeMotion", "init_args": _given(),
        "state_dict": {}, "regime": "personal", "subject": None, "reference": None, "context": {}, "hashes": {},
    }  # fmt: skip
    made: list[Any] = [None, [], 7, {"schema": []}]
    for name in bait.NAMES:
        made += [{**content, **asked(name)}, Call(name, (bait.PAYLOAD,))]
        made += [{**content, "init_args": _given(foreground={key: asked(name)})} for key in ("generator", "schedule")]
        deep = {"class_path": "motioncopy.nets.discriminators.PatchDiscriminator", "init_args": {"norm": asked(name)}}
        made.append({**content, "init_args": _given(foreground={"discriminator": deep})})
        made.append({**content, "init_args": _given(features=asked(name))})
    odd: tuple[Any, ...] = (None, 7, [], {"": None}, "x" * 100_000, torch.zeros(2), {1: {2: ()}})
    made += [{**content, key: value} for key in content for value in odd]
    sides: tuple[Any, ...] = (
        [2**31, 2**31],
        [0, 0],
        [-1, 4],
        [32],
        [1e308, 1],
        [2**63, 1],
        ["a", "b"],
        [True, True],
        32,
    )
    made += [{**content, "init_args": {"image_size": side}} for side in sides]
    large = ({"levels": n, "width": n} for n in (10**9, 40, 0, -1, 2**63))
    made += [
        {**content, "init_args": _given(foreground={"generator": {"init_args": arguments}})} for arguments in large
    ]
    return [{"method.ckpt": data} for data in (*map(_torch, made), _archive_bomb())]


def _given(**more: Any) -> dict[str, Any]:
    return {"image_size": [32, 32], **more}


def _torch(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, pickle_module=CALLS)
    return file.getvalue()


def _archive_bomb() -> bytes:
    """A checkpoint whose storage unpacks to a gigabyte."""
    file, bomb = io.BytesIO(_torch({"a": torch.zeros(4)})), io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, bytes(2**30) if name.endswith("/data/0") else old.read(name))
    return bomb.getvalue()


def _weights() -> list[Files]:
    one = torch.zeros(1)
    values: list[Any] = [None, "x", [], one, {"a": None}, {1: one}, {"a": "b"}, {"a": [one]}]
    values += [Call(name, (bait.PAYLOAD,)) for name in bait.NAMES]
    made = [_torch(value) for value in values]
    return [{"resnet18.pth": content} for content in (*made, pickle.dumps({"a": 1}), _archive_bomb())]


def _clips() -> list[Files]:
    """Manifests that point out of their folder, and claim more than there is."""
    (valid, *_) = seeds.clips()
    path = next(name for name in valid if name.endswith("manifest.json"))
    content = valid[path]
    assert isinstance(content, bytes)
    manifest = json.loads(content)
    made: list[Any] = []
    images, odd = manifest["parts"]["images"], ("/etc/passwd", "..", "", "a\0b", "x" * 5000, None, 7, "manifest.json")
    for file in ("../../outside/marker", *odd):
        made += [{**manifest, "parts": {**manifest["parts"], "images": {**images, "file": file}}}]
    values: tuple[Any, ...] = (None, -1, 2**63, 1e308, "x", [], {}, [[]], True)
    made += [{**manifest, key: value} for key in manifest for value in values]
    return [{**valid, path: json.dumps(value).encode()} for value in made]


def _openpose() -> list[Files]:
    valid = seeds.openpose()[0]
    name = min(valid)
    odd: tuple[Any, ...] = (1e308, 1e39, -1e38, "1", None, True, [1], 2**70)
    made = ({"people": [{"pose_keypoints_2d": [value] * 75}]} for value in odd)
    return [{**valid, name: json.dumps(value).encode()} for value in made]


_OF: dict[str, Callable[[], list[Files]]] = {
    "picture": _pictures, "images": _folders, "gif": _gifs, "npy": _arrays,
    "checkpoint": _checkpoints, "weights": _weights, "clip": _clips, "openpose": _openpose,
}  # fmt: skip

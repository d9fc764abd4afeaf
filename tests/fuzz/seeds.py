"""Small valid inputs of every kind, made by the project's own writers and the libraries it reads with."""

from __future__ import annotations

import csv
import io
import json
import pickle
from collections.abc import Callable
from importlib.resources import files as package_files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import h5py
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image

from motioncopy import records
from motioncopy.footage.video import VideoWriter
from motioncopy.metrics.scores import Aggregate, ClipScores
from motioncopy.records import Costs, PaperRow, Record, Results, StageTraining
from motioncopy.records.provenance import Code, Device
from motioncopy.skeletons import BODY25
from motioncopy.training import checkpoint
from tests.fuzz import files
from tests.fuzz.files import Files
from tests.methods.tiny import tiny
from tests.motioncopy.footage.clips import making

#: Height and width of frames, and how many there are.
SIZE, FRAMES = (48, 64), 4
#: What is drawn on labels.
_LABELS = 20


def _made(make: Callable[[Path], object]) -> Files:
    """What a function writes to an empty folder."""
    with TemporaryDirectory() as folder:
        make(Path(folder))
        return files.read(Path(folder))


def _frames(count: int = FRAMES, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack(
        [
            np.stack([rows * 4, columns * 3 + k * 9, (rows + columns + k) % 256], axis=-1).astype(np.uint8)
            for k in range(count)
        ]
    )


def videos() -> list[Files]:
    """One of each container that decord or PyAV reads."""

    def own(folder: Path) -> None:
        with VideoWriter(folder / "film.mp4", 25, SIZE) as writer:
            writer.write(_frames(8))

    def foreign(name: str, codec: str, pixels: str) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            with av.open(str(folder / name), "w") as container:
                stream: Any = container.add_stream(codec, rate=25)
                stream.height, stream.width, stream.pix_fmt, stream.thread_count = *SIZE, pixels, 1
                for image in _frames(6):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
                container.mux(stream.encode())

        return make

    kinds = (("film.avi", "mjpeg", "yuvj420p"), ("film.mkv", "libx264", "yuv420p"), ("film.mov", "mpeg4", "yuv420p"),
             ("film.mpg", "mpeg2video", "yuv420p"), ("film.avi", "mpeg4", "yuv420p"))  # fmt: skip
    return [_made(own), _made(own), *(_made(foreign(*kind)) for kind in kinds)]


def _encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def gifs() -> list[Files]:
    """Opaque, transparent, and of one frame."""
    images = [Image.fromarray(frame) for frame in _frames(3, (12, 16))]
    clear = [image.convert("RGBA") for image in images]
    for image in clear:
        image.putpixel((3, 3), (0, 0, 0, 0))
    return [
        {"film.gif": _encoded(images[0], "GIF", save_all=True, append_images=images[1:], duration=40, loop=0)},
        {"film.gif": _encoded(clear[0], "GIF", save_all=True, append_images=clear[1:], duration=100, disposal=2)},
        {"film.gif": _encoded(images[0].convert("L"), "GIF")},
    ]


def pictures() -> list[Files]:
    """One image of every kind."""
    image = Image.fromarray(_frames(1, (12, 16))[0])
    grey16 = Image.fromarray((np.arange(192, dtype=np.uint16).reshape(12, 16) * 300).astype(np.uint16))
    alpha, exif = image.convert("RGBA"), image.getexif()
    exif[274] = 6
    made = {
        "a.png": _encoded(image, "PNG"), "b.png": _encoded(grey16, "PNG"), "c.png": _encoded(image.convert("P"), "PNG"),
        "d.png": _encoded(alpha, "PNG"), "e.jpg": _encoded(image, "JPEG", exif=exif), "f.bmp": _encoded(image, "BMP"),
        "g.tif": _encoded(image, "TIFF"), "h.tiff": _encoded(grey16, "TIFF", compression="tiff_deflate"),
        "i.webp": _encoded(image, "WEBP"), "j.ppm": _encoded(image, "PPM"),
        "k.pgm": _encoded(image.convert("L"), "PPM"),
        "l.png": _encoded(image.convert("L"), "PNG"), "m.jpeg": _encoded(image.convert("L"), "JPEG"),
        "n.tif": _encoded(image, "TIFF", compression="tiff_lzw"), "o.png": _encoded(image.convert("1"), "PNG"),
    }  # fmt: skip
    return [{name: content} for name, content in made.items()]


def image_folders() -> list[Files]:
    """Frames with numbers, and of several kinds."""
    images = [Image.fromarray(frame) for frame in _frames(4, (12, 16))]
    forms = zip(images, ("PNG", "JPEG", "BMP", "TIFF"), strict=True)
    mixed = {f"shot-{k:03}.{form.lower()}": _encoded(image, form) for k, (image, form) in enumerate(forms)}
    return [{f"{k}.png": _encoded(image, "PNG") for k, image in enumerate(images)}, mixed]


def stacks() -> list[Files]:
    """HDF5: colour, grey, compressed, 16 bits, truth values."""

    def made(data: NDArray[Any], name: str = "frames", **options: Any) -> Files:
        file = io.BytesIO()
        with h5py.File(file, "w") as stack:
            stack.create_dataset(name, data=data, **options).attrs["fps"] = 30.0
        return {"film.h5": file.getvalue()}

    film = _frames(4, (12, 10))
    return [
        made(film), made(film[..., 0], "video"), made(film, chunks=(1, 12, 10, 3), compression="gzip"),
        made(film[..., 0].astype(np.uint16) * 257, "a/b/frames"), made(film[..., 0] > 9),
    ]  # fmt: skip


def _array(values: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def arrays() -> list[Files]:
    """NumPy's own files."""
    return [{"film.npy": _array(_frames(4, (12, 10)))}, {"film.npy": _array(np.asfortranarray(_frames(1, (3, 2))))}]


def labels() -> list[Files]:
    """Label images: grey, of a palette, and grey in colours."""
    grey = [
        Image.fromarray((np.arange(192).reshape(12, 16) % _LABELS + k).astype(np.uint8) % _LABELS) for k in range(3)
    ]
    palettes = []
    for image in grey:
        indexed = image.convert("P")
        indexed.putpalette(list(range(256)) * 3)
        palettes.append(indexed)
    kinds = (grey, palettes, [image.convert("RGB") for image in grey])
    return [{f"{k}.png": _encoded(image, "PNG") for k, image in enumerate(kind)} for kind in kinds]


def openpose() -> list[Files]:
    """BODY_25 with hands and face, and COCO-18 of two people."""

    def points(count: int, shift: float) -> list[float]:
        return [float(v) for k in range(count) for v in (k + 1.5 + shift, 2 * k + 3, 0.9)]

    counts = {"pose": 25, "face": 70, "hand_left": 21, "hand_right": 21}
    whole = [{f"{name}_keypoints_2d": points(count, k) for name, count in counts.items()} for k in range(3)]
    two = [{"pose_keypoints_2d": points(18, k)} for k in (0, 20)]
    return [
        {f"{k:03}_keypoints.json": json.dumps({"version": 1.3, "people": [p]}).encode() for k, p in enumerate(whole)},
        {f"{k}.json": json.dumps({"people": two if k else []}).encode() for k in range(3)},
    ]


def clips() -> list[Files]:
    """Prepared clips, with and without all parts."""
    return [
        _made(lambda folder: making.write_clip(folder / "clip", frames=3)),
        _made(lambda folder: _whole_clip(folder / "clip")),
    ]


def _whole_clip(path: Path) -> None:
    with making.new_writer(path, parts=("mask", "parsing", "flow")) as writer:
        writer.append(**making.arrays(3, every_part=True))
        writer.set_background(making.background())


_SSIM = "ssim/gaussian@1"


def record_files() -> list[Files]:
    """What a run, and what a paper, leaves."""
    common: dict[str, Any] = {"created": "2025-01-31T12:00:00Z", "regime": "personal", "method": "static"}
    scores = [ClipScores("walk", 2, {_SSIM: (0.5, 0.25)}, {"lpips/alex@1": "no weights"})]
    device = Device("A CPU", 2)
    measured = Record(
        **common, id="one", kind="measured", data="puppets", protocol="puppets@1", split="puppets@1", seed=0,
        variant="trivial", configs=("a/b",), config={"model": {"width": 8, "rate": 1e-4, "face": None, "sizes": [1]}},
        code=Code("0.1.0", "471543f", False), packages={"torch": "2.6"}, device=device, subject="ana",
        results=Results.of({"reconstruction": scores}), costs=Costs({"paint": 60}, {"paint": 100}, 2**30, 1234, 12.5),
        training={"paint": StageTraining(10, 12, 4, 2, (1e-4, 1e-4), "bf16-mixed", device)},
    )  # fmt: skip
    paper = Record(
        **common, id="row", kind="paper", data="iper", protocol="iper@paper",
        results=Results(aggregates={"reconstruction": {_SSIM: Aggregate(0.85)}}),
        paper=PaperRow("x", "1", "Full", ("doubt",)),
    )  # fmt: skip
    return [_made(lambda folder, r=record: records.write(r, folder)) for record in (measured, paper)]  # type: ignore[misc]


def _documents(name: str, *texts: str) -> list[Files]:
    return [{name: text.encode()} for text in texts]


def suites() -> list[Files]:
    """One row, and several."""
    return _documents(
        "suite.yaml",
        "data: [puppets]\nrows:\n- {method: static, variant: trivial}\n",
        "name: faces\ndata: [puppets, folder]\nrows:\n- {method: fakemotion, ablation: no_face, label: without}\n"
        "- {method: remot, overrides: {model: {init_args: {image_size: [32, 32]}}}}\n",
    )


def protocols() -> list[Files]:
    """The committed ones."""
    folder = package_files("datamodules") / "splits"
    return [{"iper.json": (folder / "iper.json").read_bytes()}, {"fish.json": (folder / "fish.json").read_bytes()},
            {"solodance.json": (folder / "solodance.json").read_bytes()}]  # fmt: skip


def iper_protocols() -> list[Files]:
    """iPER's own form."""
    own = {"source": ["000.jpg"], "self_imitation": {"target": "001/9/2", "range": [0, 5]},
           "cross_imitation": {"target": "007/1/2", "range": [1, 9]}, "flag": [0, 4]}  # fmt: skip
    other = own | {"self_imitation": {"target": "007/1/2", "range": [0, 5]}, "cross_imitation": own["self_imitation"]}
    return [{"iPER_protocol.json": json.dumps({"val": {"001/9/2": own, "007/1/2": other}}).encode()}]


def perceptions() -> list[Files]:
    """Of backends that need no network."""
    pose = {"class_path": "motioncopy.footage.perception.openpose.OpenPoseFolder", "init_args": {"folder": "json"}}
    mask = {"class_path": "motioncopy.footage.perception.masks.PoseMask"}
    parser = {
        "class_path": "motioncopy.footage.perception.labels.LabelFolder",
        "init_args": {"folder": "png", "labels": "atr"},
    }
    there = {f"json/{name}": content for name, content in openpose()[0].items()}
    there |= {f"png/{name}": content for name, content in labels()[0].items()}
    return [
        {"perception.yaml": yaml.safe_dump({"pose": pose}).encode(), **there},
        {"perception.yaml": yaml.safe_dump({"pose": pose, "mask": mask, "parser": parser}).encode(), **there},
    ]


def configs() -> list[Files]:
    """Of the committed ones."""
    texts = [
        (package_files("methods") / "remot" / "configs" / "paper.yaml").read_text(),
        (package_files("methods") / "fakemotion" / "ablations" / "no_face.yaml").read_text(),
    ]
    return _documents("config.yaml", *texts)


def methods() -> list[Files]:
    """Fitted methods, as far as a checkpoint can tell."""

    def made(model: dict[str, Any]) -> Files:
        method = checkpoint.build(model["class_path"], model.get("init_args", {}))
        return _made(lambda folder: checkpoint.save(method, folder / "method.ckpt", hashes={"stages": {}}))

    torch.manual_seed(0)
    return [
        made({"class_path": "methods.static.Static", "init_args": {"image_size": [16, 16]}}),
        made(tiny("fakemotion", "paper")), made(tiny("remot", "paper")),
    ]  # fmt: skip


def weights() -> list[Files]:
    """State dicts: alone, beside other things, and in the form before PyTorch 1.6."""
    state = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.zeros(2, dtype=torch.float16)}
    made: list[Files] = []
    for content, new in ((state, True), ({"state_dict": state, "epoch": 3}, True), (state, False)):
        file = io.BytesIO()
        torch.save(content, file, _use_new_zipfile_serialization=new)
        made.append({"resnet18.pth": file.getvalue()})
    return made


def _smpl() -> dict[str, Any]:
    return {"kps": np.random.default_rng(0).uniform(-1, 1, (FRAMES, 19, 2)).astype(np.float32)}


def _vid_info() -> dict[str, Any]:
    pose = {"pose_keypoints_2d": np.ones((len(BODY25), 3), np.float32)}
    return {
        "orig_shape": (48, 48),
        "processed_pose2d": {"keypoints": [pose, pose]},
        "valid_img_info": {"crop_ids": [0, 2]},
    }


def pickles() -> list[Files]:
    """Of the protocols that data sets use, with all that may stand in one."""
    plain = {"a": (1, 2.5, None, True), "b": [b"x", "y", {"z": ()}], "c": np.float32(2), "d": np.arange(3, dtype=">i2")}
    contents = [pickle.dumps(_smpl(), 2), pickle.dumps(_vid_info(), 4), pickle.dumps(plain, 2), pickle.dumps(plain, 4)]
    return [{"kps.pkl": content} for content in contents]


def tables() -> list[Files]:
    """ComplexMotion's list of clips."""
    text = io.StringIO()
    csv.writer(text).writerows([("clip", "person", "split"), ("a.mp4", "ann", "train"), ("b", "bob", "test")])
    return [{"clips.csv": text.getvalue().encode(), "a.mp4": b"", "b.mp4": b""}]


def iper_roots() -> list[Files]:
    """iPER's folder: two people, images and joints."""
    images = [_encoded(Image.fromarray(f), "PNG") for f in _frames(3, (32, 32))]
    root: dict[str, bytes | files.Odd] = {"train.txt": b"002/1/1\n", "val.txt": b"001/9/1\n"}
    for name in ("002/1/1", "001/9/1"):
        root |= {f"images/{name}/{k}.jpg": image for k, image in enumerate(images)}
    root["smpls/002/1/1/kps.pkl"] = pickle.dumps({"kps": _smpl()["kps"][:3]}, 4)
    root["primitives/001/9/1/processed/vid_info.pkl"] = pickle.dumps(_vid_info(), 2)
    return [root]


def solodance_roots() -> list[Files]:
    """SoloDance's trees, of one phase."""
    root: dict[str, bytes | files.Odd] = {}
    for tree, made in (("img", image_folders()[0]), ("parsing", labels()[0]), ("pose", openpose()[0])):
        for k, content in enumerate(list(made.values())[:3]):
            ending = {"img": ".jpg", "parsing": ".png", "pose": "_keypoints.json"}[tree]
            root[f"train_{tree}/source/video_001/s{tree}/{k + 1:05}{ending}"] = content
    root["train_bg/video_001.jpg"] = next(iter(image_folders()[0].values()))
    return [root]


def animals() -> list[Files]:
    """Poses in text and a camera."""
    line = " ".join(str(k / 7) for k in range(1, 16)) + "\n"
    return [
        {"tank.txt": (line * 3).encode(), "camera.json": b'{"fx": 90.5, "fy": -90, "cx": 12, "cy": 8}'},
        {"tank.txt": line.encode(), "camera.json": b'{"scale": 2, "cx": 12, "cy": 8}'},
    ]


def papers() -> list[Files]:
    """The committed ones."""
    folder = package_files("benchmarks") / "papers"
    return [{"paper.yaml": (folder / f"{name}.yaml").read_bytes()} for name in ("remot", "cpfnet", "cocosnet")]


def documents() -> list[Files]:
    """JSON and YAML of all that either knows."""
    content: dict[str, Any] = {"text": "é\u2028", "list": [1, -2.5, True, None, []], "deep": {"a": {"b": {"c": ""}}}}
    return [{"a.json": json.dumps(content).encode(), "a.yaml": yaml.safe_dump(content).encode()},
            {"a.json": b"[]", "a.yaml": b"a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n"}]  # fmt: skip


def jpeg(size: tuple[int, int]) -> bytes:
    """A large grey JPEG, which takes no place."""
    done, data = cv2.imencode(".jpg", np.zeros(size, np.uint8))
    assert done
    return bytes(data)


def run_folders() -> list[Files]:
    """What ``motioncopy bench`` leaves of a finished run."""
    (record, *_) = record_files()
    values = ClipScores("walk", 2, {_SSIM: (0.5, 0.25)}, {})
    trial = {"id": "walk", "kind": "reconstruction", "frames": 2, "fps": 25.0, "person": "ana", "driver": "ana",
             "generation_fps": 9.5,
             "scores": values.to_dict()}  # fmt: skip
    summary = {"protocol": "puppets@1", "split": "test", "missing": {}, "networks": {}, "trials": [trial], "sets": {}}
    model = {"class_path": "methods.static.Static", "init_args": {"image_size": [16, 16], "crop": "frame"}}
    folder = "runs/outputs/puppets@1-test"
    return [{
        "runs/record.json": next(iter(record.values())),
        "runs/stack.yaml": yaml.safe_dump({"model": model, "data": {"class_path": "x", "init_args": {}}}).encode(),
        f"{folder}/summary.json": json.dumps(summary).encode(),
        f"{folder}/walk.npy": _array(_frames(2, (16, 16))),
    }]  # fmt: skip


def stage_folders() -> list[Files]:
    """A finished fit of two stages, and one that was killed in the first."""
    from tests.fuzz import stages

    whole, half = _made(stages.resume), _made(lambda folder: stages.resume(folder, epochs=1))
    killed = {name: content for name, content in half.items() if name.startswith("stages/00") and "done" not in name}
    finished = {name: content for name, content in whole.items() if name != "method.ckpt"}
    return [finished, killed]

"""``method.ckpt``: a fitted method as primitives and tensors, and building methods from plain configs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import CheckpointError, ConfigError, own_cause
from motioncopy.method import Method

SCHEMA = "motioncopy.method/1"


def build(class_path: str, init_args: Mapping[str, Any]) -> Method[Any]:
    """Builds a method from plain values, as the command line does, and keeps the values with it.

    Args:
        class_path: For instance ``methods.fakemotion.FakeMotion``.
        init_args: Its arguments; nested classes as ``{"class_path": ..., "init_args": {...}}``.

    Raises:
        ConfigError: If the class is not there, or an argument is unknown or of a wrong type.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Method, "model")
    try:
        config = parser.parse_object({"model": {"class_path": class_path, "init_args": dict(init_args)}})
        method: Method[Any] = parser.instantiate_classes(config).model
    except Exception as error:
        if (own := own_cause(error)) is not None:
            raise own from None
        raise ConfigError(
            f"cannot build {class_path}",
            found=str(error),
            remedy="correct the named key, or fetch the version of the project that wrote the checkpoint",
        ) from error
    method.init_args = plain(config.model.init_args.as_dict())
    return method


def plain(value: Any) -> Any:
    """A config as JSON values: tuples as lists, paths as text, namespaces as dicts."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "as_dict"):
        return plain(value.as_dict())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def digest(value: Any) -> str:
    """SHA-256 of a plain value's canonical JSON."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


def save_atomically(payload: Any, path: Path) -> None:
    """Saves with ``torch.save`` beside the target and renames, so that no half file stands under the name.

    Raises:
        CheckpointError: If the disk is full or the folder is not writable; nothing is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(payload, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except (OSError, RuntimeError) as error:  # torch turns a failed write into a RuntimeError
        Path(name).unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write {path}", found=str(error), remedy="free some disk space or choose another folder"
        ) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def save(method: Method[Any], path: Path, *, hashes: Mapping[str, Any]) -> None:
    """Writes a fitted method.

    Args:
        method: Built by :func:`build` or the command line.
        path: Usually ``<run>/method.ckpt``.
        hashes: Of stages, code and config; kept for provenance.
    """
    if method.init_args is None:
        raise CheckpointError("this method was not built from plain values", remedy="build it with checkpoint.build")
    kind = type(method)
    save_atomically(
        {
            "schema": SCHEMA,
            "class_path": f"{kind.__module__}.{kind.__qualname__}",
            "init_args": method.init_args,
            "state_dict": method.state_dict(),
            "regime": method.regime,
            "subject": method.subject,
            "reference": _from_motion(method.reference),
            "context": method.context(),
            "hashes": plain(hashes),
        },
        path,
    )


def read(path: Path) -> dict[str, Any]:
    """The content of a ``method.ckpt``, checked but not built.

    Raises:
        CheckpointError: If it is missing, damaged, holds more than tensors and primitives, or is of another schema.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}", remedy="run `motioncopy fit` first, or correct the path")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"cannot read {path}", found=str(error).splitlines()[0], remedy="fit again, or copy the file again"
        ) from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise CheckpointError(
            f"{path} is not a method checkpoint of this version", expected=SCHEMA, found=schema or "no schema"
        )
    return content  # type: ignore[no-any-return]


def restore(method: Method[Any], content: Mapping[str, Any], *, path: Path) -> None:
    """Loads a checkpoint's content into a method that was built with the same arguments.

    Raises:
        CheckpointError: If it belongs to another method, or its parameters do not fit.
    """
    kind = type(method)
    class_path = f"{kind.__module__}.{kind.__qualname__}"
    if content["class_path"] != class_path:
        raise CheckpointError(f"{path} belongs to another method", expected=class_path, found=content["class_path"])
    # The context first: it can bring buffers whose size is known only after training.
    method.load_context(dict(content["context"]))
    try:
        method.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(
            f"the parameters in {path} do not fit the configured networks",
            found="; ".join(str(error).splitlines()[1:4]).strip(),
            remedy="use the config that the run was fitted with: it lies beside the checkpoint",
        ) from error
    method.subject, method.reference = content["subject"], _to_motion(content["reference"])


def load(path: Path) -> Method[Any]:
    """Builds and restores the method of a checkpoint, ready to generate on the CPU."""
    content = read(path)
    method = build(content["class_path"], content["init_args"])
    restore(method, content, path=path)
    return method.eval()


def _from_motion(motion: Motion | None) -> dict[str, Any] | None:
    if motion is None:
        return None
    return {f.name: v.detach().cpu() if isinstance(v := getattr(motion, f.name), Tensor) else v for f in fields(motion)}


def _to_motion(content: Mapping[str, Any] | None) -> Motion | None:
    if content is None:
        return None
    return Motion(**{**content, "size": tuple(content["size"])})

"""``method.ckpt``: a fitted method as primitives and tensors, and building methods from plain configs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from motioncopy.batch import Motion
from motioncopy.building import build_from_config, check_names, resolve_untrusted
from motioncopy.errors import CheckpointError, MotionCopyError
from motioncopy.files.documents import check_plain
from motioncopy.files.tensors import load_tensors, tensors_in
from motioncopy.method import Method
from motioncopy.request import Regime

#: The layout of checkpoints; raised where parameters or classes are called otherwise than before.
SCHEMA = "motioncopy.method/2"
_AGAIN = "fit again, or copy the file again"


def build(class_path: str, init_args: Mapping[str, Any]) -> Method[Any]:
    """Builds a method from plain values that the user wrote, as the command line does, and keeps the values with it.

    Args:
        class_path: For instance ``methods.fakemotion.FakeMotion``.
        init_args: Its arguments; nested classes as ``{"class_path": ..., "init_args": {...}}``.

    Raises:
        ConfigError: If the class is not there, or an argument is unknown or of a wrong type.
    """
    config = {"class_path": class_path, "init_args": dict(init_args)}
    method, resolved = build_from_config(Method, config, key="model", what=f"the config of {class_path}")  # type: ignore[type-abstract]
    method.init_args = plain(resolved["init_args"])
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


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Reference(_Strict):
    """A :class:`motioncopy.batch.Motion` as a checkpoint keeps it."""

    joints: Tensor
    skeleton: str
    size: Annotated[list[int] | tuple[int, ...], Field(min_length=2, max_length=2)]
    hand_left: Tensor | None
    hand_right: Tensor | None
    face: Tensor | None

    def motion(self) -> Motion:
        """Checked by :class:`motioncopy.batch.Motion` itself."""
        height, width = self.size
        return Motion(**{**dict(self), "size": (height, width)})


class Content(_Strict):
    """What a ``method.ckpt`` holds: the schema that every field is held to before it is used.

    Attributes:
        schema_: :data:`SCHEMA`.
        class_path: The method.
        init_args: Plain values that it was built from.
        state_dict: Its parameters and buffers.
        regime: See :data:`motioncopy.request.Regime`.
        subject: The person of a personal model.
        reference: See :attr:`motioncopy.method.Method.reference`.
        context: See :meth:`motioncopy.method.Method.context`, which checks it.
        hashes: Of stages, code and config.
    """

    schema_: Literal["motioncopy.method/2"] = Field(alias="schema")
    class_path: str
    init_args: dict[str, Any]
    state_dict: dict[str, Tensor]
    regime: Regime
    subject: Annotated[str, Field(max_length=255)] | None
    reference: _Reference | None
    context: dict[str, Any]
    hashes: dict[str, Any]

    @property
    def model(self) -> dict[str, Any]:
        """The method's config."""
        return {"class_path": self.class_path, "init_args": self.init_args}


def read(path: Path) -> Content:
    """The content of a ``method.ckpt``, checked but not built.

    Raises:
        CheckpointError: If it is missing, damaged, holds more than tensors and primitives, or is of another schema; the
            message names the field.
        ConfigError: If it names a class that a file may not name; see :mod:`motioncopy.building`.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}", remedy="run `motioncopy fit` first, or correct the path")
    content = load_tensors(path, error=CheckpointError, remedy=_AGAIN)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        ours = isinstance(schema, str) and schema.startswith("motioncopy.method/")
        raise CheckpointError(
            f"{path} was made by another layout of checkpoints" if ours else f"{path} is no method checkpoint",
            expected=SCHEMA,
            found=str(schema)[:80] if schema is not None else "no schema",
            remedy="fit again, or read it with the release that wrote it",
        )
    try:
        checked = Content.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise CheckpointError(
            f"{path}: field {'.'.join(map(str, first['loc']))[:200]} is wrong", found=first["msg"], remedy=_AGAIN
        ) from None
    for name in ("init_args", "hashes"):
        check_plain(getattr(checked, name), error=CheckpointError, what=f"field {name} of {path}", remedy=_AGAIN)
    for tensor in tensors_in(content):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{path} holds numbers that are not finite", found=f"in a tensor {tuple(tensor.shape)}", remedy=_AGAIN
            )
    check_names(checked.model, "model", str(path))
    return checked


def restore(method: Method[Any], content: Content, *, path: Path) -> None:
    """Loads a checkpoint's content into a method that was built with the same arguments.

    Raises:
        CheckpointError: If it belongs to another method, or its parameters do not fit.
    """
    kind = type(method)
    class_path = f"{kind.__module__}.{kind.__qualname__}"
    if content.class_path != class_path:
        raise CheckpointError(f"{path} belongs to another method", expected=class_path, found=content.class_path)
    try:
        # The context first: it can bring buffers whose size is known only after training.
        method.load_context(dict(content.context))
        method.load_state_dict(content.state_dict)
        method.reference = content.reference.motion() if content.reference is not None else None
    except CheckpointError as error:
        raise error.of(path, _AGAIN) from error
    except RuntimeError as error:
        raise CheckpointError(
            f"the parameters in {path} do not fit the configured networks",
            found="; ".join(str(error).splitlines()[1:4]).strip(),
            remedy="use the config that the run was fitted with: it lies beside the checkpoint",
        ) from error
    except Exception as error:  # a context of whatever kind, a motion of another shape
        raise CheckpointError(f"{path} is damaged", found=_short(error), remedy=_AGAIN) from error
    method.subject = content.subject


def resolve(content: Content, *, path: Path) -> dict[str, Any]:
    """The config of a checkpoint's method, completed by defaults, after all that a stranger could put there is refused.

    Returns:
        ``{"class_path": ..., "init_args": {...}}``; building it calls no function, and makes no more parameters than
        the checkpoint holds.

    Raises:
        ConfigError: If it names what a file may not name, at any depth, or an argument is unknown or of a wrong type.
        CheckpointError: If its networks are larger than its parameters.
    """
    resolved = resolve_untrusted(Method, content.model, key="model", what=str(path))
    try:
        check_size(resolved, content.state_dict, what=str(path))
    except MotionCopyError as error:  # of whatever class is built
        raise error.of(path, _AGAIN) from error
    return resolved


def check_size(model: Mapping[str, Any], state_dict: Mapping[str, Tensor], *, what: str) -> None:
    """Refuses a config whose networks are larger than the parameters that shall fill them, before room is made.

    Args:
        model: Of a trusted class; see :func:`motioncopy.building.resolve_untrusted`.
        state_dict: The parameters.
        what: What messages call the file.

    Raises:
        CheckpointError: If it is larger.
    """
    # Losses and critics of training are modules, and no parameters of the checkpoint.
    most = 10 * len(state_dict) + 5_000
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1
        if count > most:
            raise CheckpointError(
                f"{what} asks for networks that it has no parameters for",
                expected=f"at most {most} modules and parameters",
                remedy=_AGAIN,
            )

    # Modules count when another takes them in; parameters when they are made, which may be long before.
    hooks = [register_module_module_registration_hook(counted), register_module_parameter_registration_hook(counted)]
    try:
        # Where tensors have shapes and no content.
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            method, _ = build_from_config(Method, model, key="model", what=what)  # type: ignore[type-abstract]
    finally:
        for hook in hooks:
            hook.remove()
    claimed = sum(p.numel() for p in method.parameters())
    stored = sum(p.numel() for p in state_dict.values())
    if claimed > stored:
        raise CheckpointError(
            f"{what} asks for larger networks than it has parameters for",
            expected=f"at most {stored} parameters",
            found=claimed,
            remedy=_AGAIN,
        )


def load(path: Path) -> Method[Any]:
    """Builds and restores the method of a checkpoint, ready to generate on the CPU."""
    content = read(path)
    resolved = resolve(content, path=path)
    method = build(resolved["class_path"], resolved["init_args"])
    restore(method, content, path=path)
    return method.eval()


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _from_motion(motion: Motion | None) -> dict[str, Any] | None:
    if motion is None:
        return None
    kept = list(_Reference.model_fields)  # reference frames are whole: they have no windows
    return {name: v.detach().cpu() if isinstance(v := getattr(motion, name), Tensor) else v for name in kept}

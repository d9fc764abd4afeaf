"""The config that a run's folder keeps, read as a stranger's: the folder may have come from anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.base import ClipDataModule
from motioncopy.building import resolve_untrusted
from motioncopy.errors import ConfigError
from motioncopy.files.documents import read_yaml
from motioncopy.method import Method
from motioncopy.training import checkpoint

#: What a test takes of a run's trainer: how it computes, and nothing that names a class or a place to write to.
_TRAINER = ("accelerator", "devices", "strategy", "num_nodes", "precision", "deterministic")
_WORD = re.compile(r"[\w-]+", re.ASCII)


def read(run: Path, weights: Path) -> dict[str, Any]:
    """What ``validate``, ``test`` and ``predict`` take from ``<run>/config.yaml``.

    That is model, data, metrics, seed and how the trainer computes; callbacks, loggers and paths of the trainer's own
    have to be named by ``--config``.

    Args:
        run: The run's folder.
        weights: The ``method.ckpt`` that will be loaded.

    Raises:
        ConfigError: If there is none, it is damaged, or it names what a file may not name.
        CheckpointError: If the checkpoint is damaged, or smaller than the networks that the config asks for.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"there is no config at {path}", remedy="give --config, or the folder of a fitted run")
    content = read_yaml(path, error=ConfigError)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no mapping", expected="the config of a run", found=type(content).__name__)
    model = resolve_untrusted(Method, content.get("model"), key="model", what=str(path))
    data = resolve_untrusted(ClipDataModule, content.get("data"), key="data", what=str(path))
    checkpoint.check_size(model, checkpoint.read(weights).state_dict, what=str(path))
    trainer = content.get("trainer")
    kept = {key: trainer[key] for key in _TRAINER if key in trainer} if isinstance(trainer, Mapping) else {}
    for key, value in kept.items():
        if not isinstance(value, bool | int | None) and not (isinstance(value, str) and _WORD.fullmatch(value)):
            raise ConfigError(f"{path}: trainer.{key} is wrong", expected="a number or a word", found=repr(value)[:80])
    rest = {key: content[key] for key in ("seed_everything", "metrics", "compiled") if content.get(key) is not None}
    return rest | {"model": model, "data": data, "trainer": kept}

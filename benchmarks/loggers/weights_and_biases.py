"""Weights & Biases: one run of theirs for one of ours, whichever process logs and however often it is resumed.

Each process opens a part of the run under the same id. Online, W&B resumes it; offline, each part has a folder of its
own, and ``wandb sync <run>/wandb`` puts them together in their order. W&B counts the rows of a run in one count,
which may only rise and which it does not know offline, so every part counts from a number of its own.
"""

from __future__ import annotations

import netrc
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import wandb

from benchmarks.loggers.log import Image, LogState, RunLog

#: Unless ``WANDB_PROJECT`` names another.
PROJECT = "motioncopy"
_ID_LENGTH = 64  # W&B's limit
_ROWS_A_PART = 1_000_000
_CONNECT_SECONDS = 60.0
_UPLOAD_SECONDS = 600.0


class WandbLog(RunLog):
    """Logs to W&B: online if somebody is logged in, else to files that can be uploaded later. It never asks.

    Args:
        run: The run's folder.
        labels: ``method``, ``data``, ``variant``, ``preset``, ``ablation``, ``seed``, ``person``; what is known.
        config: The resolved config, as plain values without a machine's paths.
    """

    plays_videos = True

    def __init__(self, run: Path, labels: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self._folder = run
        super().__init__(LogState(run, "wandb"))
        state = self.state.content
        part, labels = state.parts, state.labels | dict(labels)
        # W&B keeps what the last part says, so each part says all that the others have said.
        config = {**state.config, **labels, **({"config": dict(config)} if config else {})}
        # W&B names the folder of a part after the second in which it was opened.
        time.sleep(max(0.0, min(1.1, state.opened + 1.1 - time.time())))
        name = state.id or _new_id(run.name)
        self.state.update(id=name, parts=part + 1, opened=time.time(), labels=labels, config=config)
        self._row = part * _ROWS_A_PART
        self._stages: set[str] = set()
        self._run, self._why_not = self._open(labels, config)
        for key, value in state.scores.items():
            self._run.summary[key] = value
        if part == 0:
            print(self.where(), flush=True)

    def _open(self, labels: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Any, str]:
        settings: dict[str, Any] = {
            "run_id": self.state.content.id,
            "run_name": self._folder.name,
            "project": os.environ.get("WANDB_PROJECT") or PROJECT,
            "run_group": "-".join(str(labels[k]) for k in ("method", "data") if labels.get(k)) or None,
            "run_job_type": "bench" if "preset" in labels else "fit",
            "run_tags": tags(labels),
            "root_dir": str(self._folder),
            "silent": True,
            "console": "off",
            "init_timeout": _CONNECT_SECONDS,
            "finish_timeout": _UPLOAD_SECONDS,
        }
        mode, why = mode_for()
        if mode == "online":
            try:
                online = wandb.Settings(mode=mode, resume="allow", **settings)
                return wandb.init(config=dict(config), settings=online), ""
            except Exception as error:  # noqa: BLE001 (no network, a wrong key, a server that is down)
                why = f"W&B cannot be reached: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
                mode = "offline"
        return wandb.init(config=dict(config), settings=wandb.Settings(mode=mode, **settings)), why

    def where(self) -> str:
        """Its address, or the command that uploads it."""
        if not self._why_not:
            return f"W&B: {self._run.url}"
        return f"W&B: offline, since {self._why_not}; to upload it: {_program()} sync {self._folder / 'wandb'}"

    def losses(self, stage: str, values: Mapping[str, float], step: int) -> None:
        """Curves over the stage's own step."""
        self._log({**values, self._step_of(stage): step})

    def sample(self, stage: str, picture: Image, step: int) -> None:
        """A picture of this step."""
        self._log({f"stage/{stage}/samples": wandb.Image(picture), self._step_of(stage): step})

    def picture(self, key: str, picture: Image, caption: str) -> None:
        """A picture of the finished run."""
        self._log({key: wandb.Image(picture, caption=caption)})

    def video(self, key: str, path: Path, caption: str) -> None:
        """A video of the finished run."""
        self._log({key: wandb.Video(str(path), caption=caption, format="mp4")})

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table that W&B can sort, filter and join."""
        self._log({key: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

    def summary(self, config: Mapping[str, Any], scores: Mapping[str, float]) -> None:
        """Config and summary."""
        state = self.state.content
        labels = {k: config.get(k, v) for k, v in state.labels.items()}
        self.state.update(config={**state.config, **config}, labels=labels, scores=dict(scores))
        self._run.config.update(dict(config), allow_val_change=True)
        self._run.tags = tags(labels)  # the person may be the data set's choice
        for key, value in scores.items():
            self._run.summary[key] = value

    def file(self, path: Path, name: str, kind: str) -> None:
        """An artifact."""
        with self._staged():
            artifact = wandb.Artifact(re.sub(r"[^\w.-]", "_", name), type=kind)
            artifact.add_file(str(path))
            self._run.log_artifact(artifact)

    def close(self, *, failed: bool = False) -> None:
        """Ends this part."""
        self._run.finish(exit_code=int(failed))

    def _log(self, values: Mapping[str, Any]) -> None:
        with self._staged():
            self._run.log(dict(values), step=self._row)
        self._row += 1

    @contextmanager
    def _staged(self) -> Iterator[None]:
        """Artifacts wait for their upload in the run's folder, not in the home of whoever ran it."""
        given = os.environ.get("WANDB_DATA_DIR")
        if given is None:
            os.environ["WANDB_DATA_DIR"] = str((self._folder / "wandb" / "data").absolute())
        try:
            yield
        finally:
            if given is None:
                del os.environ["WANDB_DATA_DIR"]

    def _step_of(self, stage: str) -> str:
        step = f"stage/{stage}/step"
        if stage not in self._stages:
            self._stages.add(stage)
            self._run.define_metric(step, hidden=True)
            self._run.define_metric(f"stage/{stage}/*", step_metric=step)
        return step


def mode_for() -> tuple[str, str]:
    """``online``, ``offline`` or ``disabled``, and why not online, as environment and ``.netrc`` say."""
    asked = os.environ.get("WANDB_MODE", "").lower()
    if asked in ("offline", "dryrun", "disabled"):
        return ("disabled" if asked == "disabled" else "offline"), f"WANDB_MODE={asked}"
    # As W&B itself looks for a key, but without a question at the end.
    host = os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url
    given = os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE")
    return ("online", "") if given or _in_netrc(host) else ("offline", "nobody is logged in")


def _in_netrc(url: str) -> bool:
    given = os.environ.get("NETRC")
    for path in [given] if given else ["~/.netrc", "~/_netrc"]:
        with suppress(OSError, netrc.NetrcParseError):
            if netrc.netrc(Path(path).expanduser()).authenticators(urlsplit(url).netloc):
                return True
    return False


def tags(labels: Mapping[str, Any]) -> list[str]:
    """Of a run, from its labels; W&B takes 1 to 64 characters each."""
    named = {"seed": "seed{}", "person": "person:{}", "ablation": "ablation:{}"}
    found = [
        named.get(k, "{}").format(labels[k])
        for k in ("variant", "preset", "ablation", "seed", "person")
        if labels.get(k) not in (None, "")
    ]
    return [tag[:64] for tag in found]


def _new_id(name: str) -> str:
    # The folder's name is the same for all who run this config; the run is theirs.
    nonce = secrets.token_hex(3)
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', name)[-(_ID_LENGTH - len(nonce) - 1) :]}-{nonce}"


def _program() -> str:
    if shutil.which("wandb"):
        return "wandb"
    beside = Path(sys.executable).with_name("wandb")
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)

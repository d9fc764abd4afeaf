"""``motioncopy fit|validate|test|predict``: LightningCLI over stages and trials."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning import Callback, Trainer
from lightning.pytorch.accelerators import CUDAAccelerator
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from benchmarks.bench import config_stack
from benchmarks.loggers import results
from benchmarks.loggers.factory import open_log
from benchmarks.loggers.log import Name, SafeLog, StageLogger
from benchmarks.loggers.samples import SampleImages
from benchmarks.training import run_config
from benchmarks.training.progress import StageProgress, TrialProgress
from benchmarks.training.watchdog import Watchdog
from datamodules.base import ClipDataModule, Split
from motioncopy.errors import ConfigError, MotionCopyError
from motioncopy.files.documents import read_yaml
from motioncopy.files.lock import held
from motioncopy.method import Method, Stage
from motioncopy.metrics.catalogue import select
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.speed import measure, peak_memory
from motioncopy.records import provenance
from motioncopy.records.energy import EnergyMeter
from motioncopy.training import checkpoint, fitting
from motioncopy.trials import TrialRunner


class MotionCLI(LightningCLI):
    """Fits stages in turn, and runs trials from ``method.ckpt``."""

    def __init__(self, *args: Any, watchdog: Watchdog, **kwargs: Any) -> None:
        self.watchdog = watchdog
        super().__init__(*args, **kwargs)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """What all four commands take besides Lightning's own arguments."""
        parser.add_argument("--run", type=str, default="runs/unnamed", help="The run's folder.")
        parser.add_argument("--stage", type=str | None, default=None, help="fit: this stage alone.")
        parser.add_argument("--fresh", type=bool, default=False, help="fit: take over nothing from neighbouring runs.")
        parser.add_argument("--minutes", type=float | None, default=None, help="fit: a time budget for all stages.")
        parser.add_argument(
            "--accumulate", type=int, default=1, help="fit: take each batch in so many parts, one after the other."
        )
        parser.add_argument(
            "--metrics", type=list[str] | None, default=None, help="test: metrics, such as all, tcm, ssim/uniform."
        )
        parser.add_argument("--compiled", type=bool, default=False, help="test: time compiled networks too.")
        parser.add_argument(
            "--checkpoint", type=str | None, default=None, help="test, predict: the method (default: the run's)."
        )
        parser.add_argument("--logger", type=Name, default="tensorboard", help="Unless trainer.logger is set.")
        parser.add_argument(
            "--labels", type=dict[str, Any] | None, default=None, help="What the logger files the run under."
        )

    @property
    def run_folder(self) -> Path:
        """Where the run's files lie."""
        return Path(self._get(self.config, "run"))

    def fit(self, model: Method[Any], datamodule: ClipDataModule, **_: Any) -> None:
        """Fits all stages in order, or the one named by ``--stage``; goes on where a killed fit was."""
        model.init_args = checkpoint.plain(self._get(self.config, "model").init_args)
        run, minutes = self.run_folder, self._get(self.config, "minutes")
        self._refuse_another_precision()
        self._save_config()
        with self._logged(), self._energy_meter() as energy:  # what the log uploads on closing is no training
            trained = fitting.fit(
                model,
                datamodule,
                run,
                self._stage_trainer,
                seed=int(self._get(self.config, "seed_everything") or 0),
                only=self._get(self.config, "stage"),
                budget=timedelta(minutes=minutes) if minutes is not None else None,
                world_size=self.trainer.world_size,
                accumulate=int(self._get(self.config, "accumulate")),
                precision=str(self.trainer.precision),
                fresh=bool(self._get(self.config, "fresh")),
            )
        if self.trainer.is_global_zero and (run / "method.ckpt").is_file():
            stages = fitting.stage_summaries(run, [s.name for s in model.stages])
            whole = all(stage["stage"] in trained for stage in stages if stage["steps"])
            (run / "fit.json").write_text(
                json.dumps(
                    {
                        "parameters": sum(p.numel() for p in model.parameters()),
                        "stages": stages,
                        "energy": energy.to_dict() if whole else None,
                        "features": getattr(model, "feature_identity", None),
                    },
                    indent=1,
                )
            )

    def _refuse_another_precision(self) -> None:
        """Lightning takes another precision on a CPU than it is asked for."""
        asked = str(self._get(self.config, "trainer").get("precision") or 32)
        if asked.split("-")[0] != str(self.trainer.precision).split("-")[0]:
            raise ConfigError(
                "this device does not train in the precision asked for", expected=self.trainer.precision, found=asked,
                remedy="take bf16-mixed, or a GPU",
            )  # fmt: skip

    @property
    def _gpus(self) -> int:
        on_gpu = isinstance(self.trainer.accelerator, CUDAAccelerator)
        return self.trainer.num_devices * self.trainer.num_nodes if on_gpu else 0

    def _energy_meter(self) -> EnergyMeter:
        """Of this machine: the first process's counts."""
        return EnergyMeter(self.trainer.num_devices if self._gpus else 0)

    def test(self, model: Method[Any], datamodule: ClipDataModule, **_: Any) -> None:
        """Generates and scores the test trials."""
        self._run_trials(model, datamodule, "test", timed=True)

    def validate(self, model: Method[Any], datamodule: ClipDataModule, **_: Any) -> None:
        """Generates and scores the validation trials."""
        self._run_trials(model, datamodule, "val")

    def predict(self, model: Method[Any], datamodule: ClipDataModule, **_: Any) -> None:
        """Generates the test trials, whether there is a truth or not."""
        self._run_trials(model, datamodule, "test", logged=False)

    def _run_trials(
        self,
        model: Method[Any],
        datamodule: ClipDataModule,
        split: Split,
        *,
        timed: bool = False,
        logged: bool = True,
    ) -> None:
        path = Path(self._get(self.config, "checkpoint") or self.run_folder / "method.ckpt")
        checkpoint.restore(model, checkpoint.read(path), path=path)
        trials = datamodule.for_trials(model.request, split)
        protocol = datamodule.protocol
        folder = self.run_folder / "outputs" / f"{protocol}-{split}"
        # Aside, and in place when all is done: a test that fails must not cost the outputs of one that did not.
        partial = folder.with_name(f".{folder.name}.partial")
        if self.trainer.is_global_zero:
            shutil.rmtree(partial, ignore_errors=True)
        self.trainer.strategy.barrier()
        evaluator = Evaluator(select(self._get(self.config, "metrics") or ["default"]), folder=partial / "features")
        model.runner = runner = TrialRunner(partial, evaluator)
        with self._energy_meter() as energy:
            self.trainer.test(model, datamodule=trials, verbose=False)
        summaries = runner.gathered(trials.trials.ids)
        if self.trainer.is_global_zero:
            device = self.trainer.strategy.root_device
            memory = peak_memory(device)
            compiled = timed and self._get(self.config, "compiled") and any(True for _ in model.parameters())
            model.to(device)  # which the trainer has taken it from
            summary = {
                "protocol": protocol,
                "split": split,
                "missing": evaluator.missing,
                "networks": evaluator.networks,
                "peak_memory_bytes": memory,
                "device": asdict(provenance.device(self._gpus)),
                "energy": energy.to_dict(),
                "speed": asdict(measure(model, trials.trials[0])) if timed else None,
                # Last: what has been compiled stays so.
                "speed_compiled": asdict(measure(model, trials.trials[0], compiled=True)) if compiled else None,
                "trials": summaries,
                "sets": _sets(evaluator, summaries),
            }
            (partial / "summary.json").write_text(json.dumps(summary))
            shutil.rmtree(partial / "features", ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            partial.replace(folder)
            print(f"{len(trials.trials)} trials generated and scored: {folder}")
            if logged:
                with self._logged() as log:
                    results.log_test(
                        log, trials.trials, folder, method=_short_name(model), split=split, summary=summary
                    )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A trainer by the config, with ``kwargs`` on top."""
        return super().instantiate_trainer(**{"callbacks": self._callbacks} | kwargs)

    @property
    def _callbacks(self) -> list[Callback]:
        """Those of the config, in a list of their own: a trainer adds to the list that it is given."""
        configured = self._get(self.config_init, "trainer").get("callbacks") or []
        return [*(configured if isinstance(configured, list) else [configured]), self.watchdog]

    def _stage_trainer(self, stage: Stage, folder: Path, epochs: int, callbacks: list[Callback]) -> Trainer:
        kwargs: dict[str, Any] = {
            "max_epochs": epochs,
            "default_root_dir": str(folder),
            "callbacks": [*self._callbacks, *callbacks, StageProgress()],
        }
        if self._logs:
            self._log.open()
            kwargs["logger"] = StageLogger(self._log, stage.name)
            kwargs["callbacks"].append(SampleImages(self._log))
            every = self._get(self.config_init, "trainer").get("log_every_n_steps")
            if stage.request.batches and epochs * stage.request.batches < (every or 0):
                kwargs["log_every_n_steps"] = 1  # a short stage has losses too
        return self.instantiate_trainer(**kwargs)

    @property
    def _logs(self) -> bool:
        """Whether ``--logger`` counts: a ``trainer.logger`` of the config, or ``false`` there, stands above it."""
        return self._get(self.config, "trainer").get("logger") in (None, True)

    @cached_property
    def _log(self) -> SafeLog:
        """The run's log on the first process; the others keep nothing."""
        if not self._logs or not self.trainer.is_global_zero:
            return SafeLog()
        kept = self.run_folder / "config.yaml"
        config = read_yaml(kept, error=ConfigError) if self.subcommand == "fit" else {}
        return open_log(self._get(self.config, "logger"), self.run_folder, self._get(self.config, "labels"), config)

    @contextmanager
    def _logged(self) -> Iterator[SafeLog]:
        try:
            yield self._log
        except BaseException:
            self._log.close(failed=True)
            raise
        self._log.close()

    def _save_config(self) -> None:
        run = self.run_folder
        run.mkdir(parents=True, exist_ok=True)
        if self.trainer.is_global_zero:
            self._parser(self.subcommand).save(
                self.config.get(str(self.subcommand), self.config),
                run / "config.yaml",
                overwrite=True,
                skip_unset=False,
                multifile=False,
            )


def _short_name(model: Method[Any]) -> str:
    """The folder of a method, as the command line knows it."""
    package, _, rest = type(model).__module__.partition(".")
    return rest.partition(".")[0] if package == "methods" else type(model).__name__


def _sets(evaluator: Evaluator, summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics over the features of all trials of a kind together, as plain values; and why some have none."""
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(s["kind"] for s in summaries):
        values, reasons = evaluator.sets([s["id"] for s in summaries if s["kind"] == kind])
        found[kind] = {"values": {key: asdict(value) for key, value in values.items()}, "missing": reasons}
    return found


def run_lightning(arguments: Sequence[str]) -> None:
    """Runs one of the four commands.

    Args:
        arguments: The command and its options. Without ``--config``, the commands that test take the run's own, as far
            as :mod:`benchmarks.training.run_config` trusts it.

    Raises:
        ConfigError: If an option or a config key is unknown or of a wrong type.
    """
    command, *options = arguments
    own = argparse.ArgumentParser(f"motioncopy {command}", add_help=False, allow_abbrev=False)
    own.add_argument("--config", "-c", action="append", default=[], type=Path)
    configs, rest = own.parse_known_args(options)
    own.add_argument("--run", type=Path)
    own.add_argument("--checkpoint", type=Path)
    places, _ = own.parse_known_args(rest)
    torch.set_float32_matmul_precision("high")
    first = places.run is not None and "LOCAL_RANK" not in os.environ
    lock = first and command == "fit"  # its other processes are with it
    with held(places.run, "wait for it, or choose another folder by --run") if lock else nullcontext():
        if first:
            (places.run / "failure.txt").unlink(missing_ok=True)  # of an earlier call
        watchdog = Watchdog(places.run)
        try:
            config = _config(command, configs.config, places.run, places.checkpoint)
            # As text: an option's value that is no file's name.
            given = ["--config", yaml.safe_dump(config, sort_keys=False)] if config is not None else []
            _start([command, *given, *rest], watchdog)
        except Exception as error:
            if not isinstance(error, MotionCopyError):
                watchdog.wait()
            if places.run is not None:
                _leave_word(places.run, error)
            raise


def _config(command: str, paths: Sequence[Path], run: Path | None, weights: Path | None) -> dict[str, Any] | None:
    """All configs as one, merged by the stack's rules, or what the run's folder keeps; ``None`` where there is neither.

    Lightning's own merge keeps old ``init_args`` below a new ``class_path``, and forgets a nested dataclass's values
    where a later file sets one of them.
    """
    if not paths:
        return run_config.read(run, weights or run / "method.ckpt") if command != "fit" and run is not None else None
    merged: dict[str, Any] = {}
    for path in paths:
        merged = config_stack.merge(merged, config_stack.read(path))
    merged.pop("requires", None)
    return merged


def _leave_word(run: Path, error: Exception) -> None:
    """Says in the run's folder why it failed, for whoever started this process."""
    text = str(error)
    if not isinstance(error, MotionCopyError):
        text = f"{type(error).__name__}: {text.splitlines()[0] if text else 'without a word'}"
        if "CUDA" in text and "out of memory" not in text:
            text += " (the GPU was lost, or is in a state that only a restart of its driver mends: see nvidia-smi)"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        text = f"The process of rank {os.environ.get('RANK', os.environ.get('LOCAL_RANK', '0'))} says: {text}"
    failure = run / "failure.txt"
    with suppress(OSError):  # a full disk must not hide what it caused
        # An error of ours is a cause; another can be what follows when one of several processes has gone.
        if run.is_dir() and (isinstance(error, MotionCopyError) or not failure.exists()):
            failure.write_text(text)


def _start(arguments: list[str], watchdog: Watchdog) -> None:
    MotionCLI(
        watchdog=watchdog,
        model_class=Method,
        datamodule_class=ClipDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_callback=None,
        seed_everything_default=0,
        parser_kwargs={"parser_mode": "yaml"},
        trainer_defaults={
            "accelerator": "auto",
            "devices": 1,
            "logger": None,
            "callbacks": [TrialProgress()],
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "use_distributed_sampler": False,
            "log_every_n_steps": 10,
        },
        auto_configure_optimizers=False,
        args=arguments,
    )

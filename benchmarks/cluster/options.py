"""What is asked of a SLURM cluster, and the command-line options for it. Imports nothing that is slow."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field

from motioncopy.errors import ConfigError


@dataclass(frozen=True)
class ClusterOptions:
    """What every SLURM job of a plan asks for; ``None`` leaves it to the cluster's own default.

    Attributes:
        partition: Where to run.
        minutes: Time limit of a job. One that reaches it is requeued and goes on from its last checkpoint.
        gpus: GPUs a job; ``None`` for as many as it trains with (:attr:`benchmarks.bench.jobs.Job.devices`), 0 on a
            cluster that has none.
        cpus: Cores for each process that it trains with.
        memory_gb: Memory of a job, GB.
        account: Whom to charge.
        qos: Quality of service.
        constraint: Features that the node must have, as ``sbatch --constraint`` takes them.
        max_parallel: How many jobs may run at a time.
        requeues: How often a job may reach its time limit and go on. Preemptions are not counted.
        retries: How often a job that has left the queue without a word (its node failed, its memory ran out) is
            submitted again.
        setup: Lines of shell that come before the job, such as ``module load cuda``.
        extra: Further options of ``sbatch``, without the dashes: ``{"exclude": "node7", "exclusive": True}``.

    Raises:
        ConfigError: If a number is out of range.
    """

    partition: str | None = None
    minutes: int = 24 * 60
    gpus: int | None = None
    cpus: int = 8
    memory_gb: float = 32
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    max_parallel: int | None = None
    requeues: int = 20
    retries: int = 1
    setup: tuple[str, ...] = ()
    extra: Mapping[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        least = {"minutes": 1, "cpus": 1, "memory_gb": 0.1, "gpus": 0, "max_parallel": 1, "requeues": 0, "retries": 0}
        for name, smallest in least.items():
            value = getattr(self, name)
            if value is not None and value < smallest:
                raise ConfigError(
                    f"the cluster option {name} is out of range", expected=f"at least {smallest}", found=value
                )


#: Each option: its name, the field that it fills, what its argument is called, and its help.
_OPTIONS = (
    ("--partition", "partition", "NAME", "where to run (default: the cluster's)"),
    ("--job-minutes", "minutes", "N", "time limit of a job; one that reaches it is requeued and goes on"),
    ("--gpus", "gpus", "N", "GPUs a job, 0 where there are none (default: as many as it trains with)"),
    ("--cpus", "cpus", "N", "cores for each process that a job trains with"),
    ("--memory", "memory_gb", "GB", "a job"),
    ("--account", "account", "NAME", "whom to charge"),
    ("--qos", "qos", "NAME", "quality of service"),
    ("--constraint", "constraint", "FEATURES", "features of the node"),
    ("--parallel", "max_parallel", "N", "how many jobs may run at a time (default: no limit)"),
    ("--requeues", "requeues", "N", "how often a job may reach its time limit and go on"),
    ("--retries", "retries", "N", "how often a job is submitted again whose node failed or whose memory ran out"),
    ("--setup", "setup", "LINE", "a line of shell before each job, such as 'module load cuda'; can be repeated"),
    ("--sbatch", "extra", "KEY[=VALUE]", "any other option of sbatch, such as exclude=node7; can be repeated"),
)
_TYPES = {"N": int, "GB": float}


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--engine`` and what goes with ``--engine slurm``; :func:`cluster_options` reads them."""
    parser.add_argument(
        "--engine", choices=("local", "slurm"), default="local",
        help="run on this machine, one after another, or as jobs of a SLURM cluster (default: %(default)s)",
    )  # fmt: skip
    group = parser.add_argument_group("with --engine slurm", "see docs/cluster.md")
    nothing_asked = ClusterOptions()
    for option, name, metavar, text in _OPTIONS:
        action, default = ("append", []) if name in ("setup", "extra") else ("store", getattr(nothing_asked, name))
        group.add_argument(
            option, dest=f"slurm_{name}", metavar=metavar, type=_TYPES.get(metavar, str), action=action,
            default=default, help=f"{text} (default: %(default)s)" if default else text,
        )  # fmt: skip


def cluster_options(arguments: argparse.Namespace) -> ClusterOptions:
    """What was asked for on a command line that has :func:`add_cluster_options`.

    Raises:
        ConfigError: If a number is out of range.
    """
    asked = {name: getattr(arguments, f"slurm_{name}") for _, name, _, _ in _OPTIONS}
    pairs = (text.lstrip("-").partition("=") for text in asked["extra"])
    extra = {key: value if equals else True for key, equals, value in pairs}
    return ClusterOptions(**asked | {"setup": tuple(asked["setup"]), "extra": extra})

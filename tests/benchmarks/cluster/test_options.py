"""What is asked of a cluster, and how it is said on a command line."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from benchmarks.cluster.options import ClusterOptions, add_cluster_options, cluster_options
from motioncopy.errors import ConfigError


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_cluster_options(parser)
    return parser.parse_args(words)


def test_nothing_said_is_the_defaults() -> None:
    assert parsed().engine == "local"
    assert cluster_options(parsed()) == ClusterOptions()


def test_all_can_be_said() -> None:
    said = parsed(
        "--engine=slurm", "--partition=gpu", "--job-minutes=90", "--gpus=2", "--cpus=4", "--memory=64", "--account=us",
        "--qos=low", "--constraint=a100|h100", "--parallel=3", "--requeues=5", "--retries=0", "--sbatch=exclude=node7",
        "--sbatch=--exclusive", "--setup", "module load cuda", "--setup", "ulimit -n 4096",
    )  # fmt: skip
    assert said.engine == "slurm"
    assert cluster_options(said) == ClusterOptions(
        partition="gpu", minutes=90, gpus=2, cpus=4, memory_gb=64, account="us", qos="low", constraint="a100|h100",
        max_parallel=3, requeues=5, retries=0, setup=("module load cuda", "ulimit -n 4096"),
        extra={"exclude": "node7", "exclusive": True},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("minutes", 0), ("cpus", 0), ("memory_gb", 0.0), ("gpus", -1), ("max_parallel", 0), ("requeues", -1)],
)
def test_what_cannot_be_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} is out of range"):
        ClusterOptions(**{name: value})

"""How fast a method generates, how large it is, and what it holds in memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from motioncopy.errors import BatchError
from motioncopy.method import Method
from motioncopy.request import Trial


@dataclass(frozen=True)
class Speed:
    """What :func:`measure` found on one device.

    Attributes:
        fps: Frames a second at batch 1: one driving frame a step, from joints on the device to float frames.
        frames: Frames that were timed.
        warm_up: Frames before them, not timed.
        parameters: Of the networks that generate.
        peak_memory_bytes: The most that was held while generating: on a GPU by tensors, else by the whole process since
            its start.

    >>> Speed(fps=25.0, frames=32, warm_up=8, parameters=1000, peak_memory_bytes=1 << 30).fps
    25.0
    """

    fps: float
    frames: int
    warm_up: int
    parameters: int
    peak_memory_bytes: int


@torch.inference_mode()
def measure(method: Method[Any], trial: Trial, *, warm_up: int = 8, frames: int = 32, compiled: bool = False) -> Speed:
    """Times a method, one driving frame a step.

    What is done once a person (``Method.start``) and the steps of the warm-up are not timed, nor are the frames that a
    method which looks ahead gives at the end. The clock stops when the last step is whole: a GPU is waited for.

    Args:
        method: Ready to generate, on its device.
        trial: What to generate; its motion is repeated where it is too short.
        warm_up: Steps before the clock starts.
        frames: Steps to time.
        compiled: Whether ``torch.compile`` translates the method's networks first, which they then stay; it does so
            during the warm-up.

    Raises:
        BatchError: If the method gives fewer frames than it is asked for.

    >>> from motioncopy.batch import Appearance, Motion
    >>> from motioncopy.request import DataRequest
    >>> class Black(Method[None]):
    ...     regime, stages = "general", ()
    ...     def start(self, appearance):
    ...         return None
    ...     def step(self, state, motion):
    ...         return torch.full((len(motion), 3, 8, 8), -1.0), None
    >>> black, pose = torch.zeros(1, 1, 3, 8, 8, dtype=torch.uint8), Motion(torch.ones(1, 1, 25, 3), "body25", (8, 8))
    >>> person = Appearance(black, black[:, :, :1], pose, black[:, 0], person=("ann",))
    >>> trial = Trial("ann", "toy@1", "reconstruction", person, pose, "ann", 25.0, None, (0, 0, 8, 8))
    >>> measure(Black(request=DataRequest(1, (8, 8))), trial, warm_up=1, frames=2).frames
    2
    """
    if compiled:
        for network in _networks(method):
            network.compile()
    motion = trial.motion
    while len(motion) < warm_up + frames:
        motion = motion.then(trial.motion)
    device = method.device
    motion = motion.frames(0, warm_up + frames).to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    state, done, start = method.start(trial.appearance.to(device).as_float()), 0, _now(device)
    for t in range(warm_up + frames):
        if t == warm_up:
            start = _now(device)
        images, state = method.step(state, motion.frames(t, t + 1))
        done += len(images)
    seconds = _now(device) - start
    rest = method.finish(state)
    done += len(rest) if rest is not None else 0
    if done != warm_up + frames:
        raise BatchError(f"{type(method).__name__} gave too few frames", expected=warm_up + frames, found=done)
    parameters = sum(p.numel() for p in method.parameters())
    return Speed(frames / seconds, frames, warm_up, parameters, peak_memory(device))


def _networks(module: nn.Module) -> Iterator[nn.Module]:
    """What is called as a whole: lists and dicts of networks are not."""
    for child in module.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from _networks(child)
        else:
            yield child


def peak_memory(device: torch.device) -> int:
    """The most that was held at once, in bytes: by tensors on a GPU, else by this process.

    >>> peak_memory(torch.device("cpu")) > 1 << 20
    True
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # macOS counts bytes, Linux KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()

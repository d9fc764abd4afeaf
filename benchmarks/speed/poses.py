"""Speed of pose drawing against plain implementations, in one run: ``python -m benchmarks.speed.poses``.

Goals on one thread, as ratios within a run (figures a second alone mean nothing on a shared machine): sticks at
least 10 times plain torch (and well above 1,000 a second at 128x128), limb maps and heat maps at least twice the
plain way; what is left of those two is the writing of their many channels.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.speed.harness import Calls, compare, options, set_threads
from motioncopy.poses.heatmaps import draw_heatmaps
from motioncopy.poses.limbs import draw_limbs
from motioncopy.poses.sticks import draw_sticks, limb_colours
from motioncopy.skeletons import BODY25

Size = tuple[int, int]


def figures(count: int, size: Size) -> Tensor:
    """Walking people, ``(count, 25, 3)``, filling the image's height; the same on every call."""
    generator = torch.Generator().manual_seed(0)
    upright = torch.tensor(_UPRIGHT) * (size[0] / 128)
    upright[:, 0] += (size[1] - size[0]) / 2
    sway = torch.randn(count, len(BODY25), 2, generator=generator) * size[0] / 32
    return torch.cat([upright + sway, torch.ones(count, len(BODY25), 1)], dim=-1)


def plain_sticks(joints: Tensor, size: Size) -> Tensor:
    """Sticks in torch, limb by limb: the distance of every pixel to the limb's segment, then a blend."""
    y, x = torch.meshgrid(torch.arange(size[0]).float(), torch.arange(size[1]).float(), indexing="ij")
    drawings = []
    for figure in joints:
        canvas = -torch.ones(3, *size)
        for (a, b), colour in zip(BODY25.limbs, limb_colours(len(BODY25.limbs)), strict=True):
            start, along = figure[a, :2], figure[b, :2] - figure[a, :2]
            share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / along.square().sum()
            share = share.clamp(0, 1)
            away = torch.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
            alpha = (1.5 - away).clamp(0, 1)
            shade = torch.tensor(colour)[:, None, None] / 127.5 - 1
            canvas = canvas * (1 - alpha) + shade * alpha
        drawings.append(canvas)
    return torch.stack(drawings)


def plain_limbs(joints: Tensor, size: Size) -> Tensor:
    """Limb ellipses in torch, limb by limb."""
    y, x = torch.meshgrid(torch.arange(size[0]).float(), torch.arange(size[1]).float(), indexing="ij")
    half_width = 4 * max(size) / 512
    drawings = torch.empty(len(joints), len(BODY25.limbs), *size)
    for n, figure in enumerate(joints):
        for limb, (a, b) in enumerate(BODY25.limbs):
            middle, along = (figure[a, :2] + figure[b, :2]) / 2, (figure[b, :2] - figure[a, :2]) / 2
            half = along.norm()
            u = ((x - middle[0]) * along[0] + (y - middle[1]) * along[1]) / half
            v = ((y - middle[1]) * along[0] - (x - middle[0]) * along[1]) / half
            drawings[n, limb] = (u / half) ** 2 + (v / half_width) ** 2 <= 1
    return drawings


def plain_heatmaps(joints: Tensor, size: Size) -> NDArray[np.float32]:
    """Heat maps in numpy, joint by joint, over the whole image."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    sigma = max(size) / 64
    maps = [
        np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for figure in joints.numpy() for px, py, _ in figure
    ]
    return np.stack(maps).reshape(len(joints), -1, *size)


def main() -> None:
    """Prints the table: figures a second, eight a call as in a small training batch."""
    arguments = options(__doc__, sizes=[128, 256], rounds=7, threads=1).parse_args()
    set_threads(arguments.threads)
    for side in arguments.sizes:
        size = (side, side)
        joints = figures(8, size)
        ways: dict[str, Calls] = {
            "sticks": {
                "ours": partial(draw_sticks, joints, BODY25, size),
                "plain": partial(plain_sticks, joints, size),
            },
            "limbs": {"ours": partial(draw_limbs, joints, BODY25, size), "plain": partial(plain_limbs, joints, size)},
            "heat maps": {"ours": partial(draw_heatmaps, joints, size), "plain": partial(plain_heatmaps, joints, size)},
        }
        for name, calls in ways.items():
            compare(f"{name} {side}x{side}", calls, arguments.rounds, per=len(joints))


# A person standing in a 128x128 image, in the order of body25.
_UPRIGHT = [
    [64, 20], [64, 34], [52, 35], [44, 50], [38, 64], [76, 35], [84, 50], [96, 40], [64, 66], [57, 66], [55, 90],
    [54, 112], [71, 66], [75, 88], [78, 110], [61, 17], [67, 17], [57, 19], [71, 19], [83, 116], [86, 114], [77, 114],
    [50, 118], [47, 116], [55, 116],
]  # fmt: skip

if __name__ == "__main__":
    main()

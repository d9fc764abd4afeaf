"""A config of every method that fits in seconds: its own YAML files, at 32x32 and with hardly any channels.

A method without an entry here fails ``test_contract.py``.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from benchmarks.bench.config_stack import ConfigStack, merge, read

SIZE = (32, 32)
_LENGTH = {"epochs": 1, "batches": 2, "batch_size": 2, "decay_epochs": 0}
_FEATURES = {"init_args": {"width": 4}}
_DISCRIMINATOR = {"init_args": {"ndf": 4, "n_layers": 1}}
_UNET = {"levels": 3, "width": 8, "max_width": 16, "skip_width": 4}
_CODE = {"width": 4, "downs": 2, "blocks": 1}

_PAPER = {
    "image_size": list(SIZE),
    "foreground": {
        "generator": {"init_args": _UNET},
        "discriminator": _DISCRIMINATOR,
        "temporal": {"init_args": {"branch_width": 2, "ndf": 4, "n_layers": 1}},
        "gromov_wasserstein": {"outer_iterations": 2, "sinkhorn_iterations": 5},
        "schedule": _LENGTH,
    },
    "features": _FEATURES,
    "face": {"size": 8},
    "local": {
        "size": 8,
        "generator": {
            "init_args": {"network": {"init_args": {"levels": 2, "width": 4, "max_width": 8, "skip_width": 4}}}
        },
        "discriminator": _DISCRIMINATOR,
        "schedule": _LENGTH,
    },
}
_CROPS = {
    "generator": {"init_args": {"network": {"init_args": {"width": 4, "downs": 1, "blocks": 1}}}},
    "discriminator": _DISCRIMINATOR,
    "schedule": _LENGTH,
}
_RELEASED = {
    "image_size": list(SIZE),
    "foreground": {
        "generator": {"init_args": _CODE},
        "discriminator": _DISCRIMINATOR,
        "temporal": {"init_args": {"width": 2}},
        "schedule": _LENGTH,
    },
    "features": _FEATURES,
    "face_gan": _CROPS,
    "fusion": {"generator": {"init_args": _CODE}, "discriminator": _DISCRIMINATOR, "schedule": _LENGTH},
    "local": _CROPS,
}
_NETWORK = {"init_args": {"width": 4, "downs": 2, "encoder_blocks": 1, "decoder_blocks": 1}}
_SEQUENCE = {"epochs": 1, "batches": 2, "batch_size": 2, "decay_epochs": 0, "frames": 5, "chunk": 2}
_TEMPORAL = {"init_args": {"ndf": 4, "n_layers": 1, "skips": [1, 2]}}
_REMOT = {
    "image_size": list(SIZE),
    "perceptual": {"init_args": {"features": _FEATURES}},
    "layout": {
        "generator": _NETWORK, "discriminator": _DISCRIMINATOR, "temporal": _TEMPORAL, "schedule": _SEQUENCE
    },
    "region": {"generator": _NETWORK, "discriminator": _DISCRIMINATOR, "schedule": _SEQUENCE},
    "composition": {
        "generator": _NETWORK, "discriminator": _DISCRIMINATOR, "temporal": _TEMPORAL, "face": _DISCRIMINATOR,
        "face_size": 8, "schedule": _SEQUENCE,
    },
}  # fmt: skip
_FRAME = {
    "image_size": list(SIZE),
    "frame": {
        "generator": {"init_args": {"levels": 3, "width": 4}},
        "discriminator": _DISCRIMINATOR,
        "schedule": _LENGTH,
    },
}
_COARSE_TO_FINE = {
    "image_size": list(SIZE),
    "perceptual": {"init_args": {"features": _FEATURES}},
    "coarse": {
        "generator": {"init_args": {"width": 4, "downs": 2, "blocks": 1}},
        "discriminator": _DISCRIMINATOR,
        "schedule": _LENGTH,
    },
    "enhancer": {
        "generator": {"init_args": {"width": 2, "blocks": 1}},
        "discriminator": _DISCRIMINATOR,
        "fixed_epochs": 1,
        "schedule": {**_LENGTH, "epochs": 2},
    },
}
_EDN = {
    "image_size": list(SIZE),
    "perceptual": {"init_args": {"features": _FEATURES}},
    "frame": {
        "generator": {"init_args": {"width": 4, "downs": 2, "blocks": 1}},
        "discriminator": _DISCRIMINATOR,
        "schedule": _LENGTH,
    },
    "face": {
        "size": 16,
        "generator": {"init_args": {"network": {"init_args": {"width": 4, "downs": 1, "blocks": 1}}}},
        "discriminator": _DISCRIMINATOR,
        "schedule": _LENGTH,
    },
}
_TRIVIAL = {"image_size": list(SIZE)}

#: For each method its variants and presets, each with what makes it tiny.
TINY: dict[str, dict[tuple[str, str], dict[str, Any]]] = {
    "fakemotion": {("paper", "quick"): _PAPER, ("released", "quick"): _RELEASED},
    "aligned": {("trivial", ""): _TRIVIAL},
    "edn": {("paper", "quick"): _EDN},
    "nearest": {("trivial", ""): _TRIVIAL},
    "pix2pix": {("paper", "quick"): _FRAME},
    "pix2pixhd": {("paper", "quick"): _COARSE_TO_FINE},
    "remot": {("paper", "quick"): _REMOT},
    "static": {("trivial", ""): _TRIVIAL},
}

#: Overlays that mean nothing for a variant, and what is then said.
NOT_FOR = {
    # There is no Gromov-Wasserstein loss to put an L2 loss in place of, and other terms need the features.
    ("released", "l2"): "has a weight, and its features are not there",
    # The fusion is not learned.
    ("paper", "stabilised_released"): "arguments are required: generator, discriminator",
}


def tiny(method: str, variant: str, *overlays: str, **init_args: Any) -> dict[str, Any]:
    """``{"class_path": ..., "init_args": ...}`` of a method's tiny config, with these arguments laid over it."""
    ((preset, small),) = [(p, args) for (v, p), args in TINY[method].items() if v == variant]
    # The data set has no say in the model.
    model: dict[str, Any] = ConfigStack(method, "pair", variant, preset, overlays).resolve(
        {"model": {"init_args": small}}
    )["model"]
    for overlay in overlays:  # once more: what it removes has come back with the sizes
        model = merge(model, read(files("methods") / method / "ablations" / f"{overlay}.yaml")["model"])
    return merge(model, {"init_args": init_args})

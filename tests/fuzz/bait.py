"""What hostile files ask for by name: harmless here, and noticed when it is built, called or imported."""

from __future__ import annotations

from typing import Any

from torch import nn

from motioncopy.method import Method

#: Stands in every payload, so that code that was taken from a file is known when it is compiled.
WORD = "fuzz_bait"
#: A module of this name lies in the working directory of whoever reads.
MODULE = WORD

_HERE = __name__
#: Importable, but nothing that a file has to do with.
MODULES = (MODULE, "antigravity", "this", "turtledemo", "idlelib.idle", "lib2to3.__main__", "pip.__main__")
#: Functions and classes that no file may have called, built or imported.
NAMES = (
    f"{_HERE}.call", f"{_HERE}.make", f"{_HERE}.Network", f"{_HERE}.Copier", f"{MODULE}.Network", "this.s",
    "antigravity.geohash", "os.system", "posix.system", "subprocess.Popen", "subprocess.check_output", "builtins.eval",
    "builtins.exec", "builtins.__import__", "builtins.getattr", "builtins.open", "numpy.load", "numpy.memmap",
    "numpy.fromfile", "torch.load", "torch.hub.load", "torch.fx.graph_module.reduce_graph_module",
    "torch.serialization.load", "torch.jit.load", "torch.nn.Linear", "runpy.run_path", "shutil.rmtree",
    "importlib.import_module", "operator.attrgetter", "functools.partial", "jsonargparse.ArgumentParser",
    "motioncopy.weights.fetch", "motioncopy.training.checkpoint.load", "methods.static.os.system",
    "benchmarks.cli.main",
)  # fmt: skip
#: What runs a payload if the names above are called with it.
PAYLOAD = f"import os; os.system('touch {WORD}')"

#: What was called since it was last asked.
called: list[str] = []


def call(*_: Any, **__: Any) -> None:
    """A function."""
    called.append("bait.call was called")


def make(*_: Any, **__: Any) -> nn.Module:
    """A function that says it returns a network, which parsers of configs take for a class."""
    called.append("bait.make was called")
    return nn.Identity()


class Network(nn.Module):
    """A class of a package that nobody trusts."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()
        called.append("bait.Network was built")


class Copier(Method[Any]):
    """A method of a package that nobody trusts."""

    def __init__(self, *_: Any, **__: Any) -> None:
        called.append("bait.Copier was built")
        raise RuntimeError("bait")

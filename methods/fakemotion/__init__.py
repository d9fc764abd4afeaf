"""FakeMotion (Liu et al., IJCAI 2022): pose to foreground with a Gromov-Wasserstein loss, then local enhancement."""

from methods.fakemotion.method import FakeMotion

__all__ = ["FakeMotion"]

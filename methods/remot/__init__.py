"""REMOT: A Region-to-Whole Framework for Realistic Human Motion Transfer (Yang et al., ACM Multimedia 2022)."""

from methods.remot.method import REMOT

__all__ = ["REMOT"]

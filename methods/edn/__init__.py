"""Everybody Dance Now (Chan et al., ICCV 2019): pose sticks and the frame before to a frame, and a GAN of the face."""

from methods.edn.method import EDN

__all__ = ["EDN"]

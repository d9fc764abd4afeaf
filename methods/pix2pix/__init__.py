"""pix2pix (Isola et al., CVPR 2017): a U-Net from pose sticks to frames, L1 and a conditional PatchGAN."""

from methods.pix2pix.method import Pix2Pix

__all__ = ["Pix2Pix"]

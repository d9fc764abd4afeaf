"""pix2pixHD (Wang et al., CVPR 2018): pose sticks to frames, coarse to fine, with feature matching and VGG losses."""

from methods.pix2pixhd.method import Pix2PixHD

__all__ = ["Pix2PixHD"]

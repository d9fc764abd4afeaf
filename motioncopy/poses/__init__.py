"""Poses: drawing, normalisation between bodies, smoothing."""

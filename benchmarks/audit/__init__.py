"""Holds every metric against an implementation that is not its own, and against what must not change it."""

"""Scores videos that any system made, by the path that our own methods take."""

"""Faces: which way they are turned, the real ones of a person, and how those are blended into generated ones."""

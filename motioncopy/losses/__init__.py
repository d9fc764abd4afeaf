"""Losses that more than one method uses, each against its reference."""

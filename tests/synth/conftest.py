"""Fixtures of this room."""

from system_fonts import few_fonts  # noqa: F401

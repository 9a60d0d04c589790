"""Rendering words."""

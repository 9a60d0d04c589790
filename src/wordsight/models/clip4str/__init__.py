"""CLIP4STR."""

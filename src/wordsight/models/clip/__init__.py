"""The CLIP towers."""

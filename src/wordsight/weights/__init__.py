"""Writing packs from trained weights."""

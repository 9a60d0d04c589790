"""What the files are called that are read where a folder is named."""

PICTURES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif", ".pdf"}
)
"""In lower case."""

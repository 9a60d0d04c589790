"""Images in, crops out: safe decoding, polygons to strips, preprocessing."""

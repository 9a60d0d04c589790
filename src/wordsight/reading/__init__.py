"""How a straightened line becomes words: pieces that a recognizer can take, ways up, windows, reading order."""

"""`wordsight read`."""

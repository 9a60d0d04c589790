"""`wordsight export`."""

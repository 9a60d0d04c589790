"""`wordsight data`."""

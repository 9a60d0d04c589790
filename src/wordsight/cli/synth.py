"""`wordsight synth`."""

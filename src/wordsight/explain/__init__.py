"""Looking inside: what a decoder looks at while it writes a word, and what CLIP's towers find alike."""

"""The laboratory of wordsight: what reproduces the papers of CLIP4STR and CLIPTER. A user of the library."""

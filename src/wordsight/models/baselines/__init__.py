"""Recognizers that CLIPTER is measured on besides CLIP4STR and PARSeq."""

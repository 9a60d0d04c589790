"""The miniature CLIP, trained from pairs of one's own; and what a CLIP reads without having been trained to."""

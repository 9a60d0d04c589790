"""Where the text is: a detector, or the user's own boxes."""

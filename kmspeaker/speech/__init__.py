"""Sound becomes features of a frozen speech encoder."""

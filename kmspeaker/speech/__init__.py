"""What is heard: sound becomes features of a frozen speech encoder."""

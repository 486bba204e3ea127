"""Many pairs of speech and performance in one go."""

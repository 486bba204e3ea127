"""The corpus's speech: sentences, voices, and phone times."""

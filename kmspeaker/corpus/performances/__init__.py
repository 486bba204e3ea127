"""Whole faces: states and upper faces by rule, recordings, and talking videos."""

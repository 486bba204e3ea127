"""Whole faces: states and upper faces by rule, captured takes, and talking videos."""

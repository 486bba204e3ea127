"""Measures of what a model does, each on data it never learnt from and beside its rivals."""

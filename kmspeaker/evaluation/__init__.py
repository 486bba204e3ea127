"""Evaluation: what a model does on data it was not trained on, beside rivals and with intervals."""

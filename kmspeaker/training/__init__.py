"""Training: ``python -m kmspeaker.training CORPUS -o RUN`` (paper 3.2, 3.3)."""

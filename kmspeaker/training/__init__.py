"""Training (paper 3.2, 3.3).

    python -m kmspeaker.training CORPUS -o RUN                      again with the same: it goes on
    torchrun --nproc-per-node 8 -m kmspeaker.training CORPUS -o RUN --set parts=8
    python -m kmspeaker.training CORPUS -o RUN --from assets/models/small
    python -m kmspeaker.training --measure                          windows/s of each size here

``options`` lists what can be chosen; ``loop`` is the run: ``data`` draws a step's windows,
``objective`` and ``losses`` give its loss, ``optimizer_step`` updates the weights, and
``validation``, ``preview``, ``log`` and ``card`` report. A run's folder holds
``checkpoint.safetensors``, ``log.jsonl``, ``tensorboard/``, ``videos/`` and ``model/``, which is
what ``--model`` of the app takes.
"""

"""Shared fixtures: the real clips beside the checkout, and the face."""

import os
from pathlib import Path

import pytest

# Before VTK: each brings an LLVM of its own, and only in this order both work.
import torch._dynamo  # noqa: F401

from kmspeaker.face.rig import FaceModel

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips that lies beside the checkout; never part of the product."""
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have the test clips, but {SHARED} does not exist.")
        pytest.skip(f"needs the real clips in {SHARED}, which this checkout does not have")
    return SHARED


@pytest.fixture(scope="session")
def face() -> FaceModel:
    return FaceModel.load()

import numpy as np
import pytest
import torch

from kmspeaker.model.flow import sample
from kmspeaker.model.windows import Windows, frame_noise

LENGTHS = [1, 5, 128, 129, 130, 224, 225, 300, 1000, 3001]


@pytest.mark.parametrize("frames", LENGTHS)
def test_shares_sum_to_one_at_every_frame(frames):
    windows = Windows.over(frames, window=128, overlap=32)
    total = windows.blend(torch.ones(len(windows), windows.length, 1))
    assert torch.allclose(total, torch.ones(frames, 1), atol=1e-6)
    assert (windows.shares > 0).all()


@pytest.mark.parametrize("frames", LENGTHS)
def test_windows_begin_and_end_with_the_clip_and_share_the_overlap(frames):
    windows = Windows.over(frames, window=128, overlap=32)
    ends = windows.starts + windows.length
    assert windows.starts[0] == 0 and ends[-1] == frames
    assert ((ends[:-1] - windows.starts[1:]) >= 32).all()


def test_interior_windows_fade_in_and_out():
    windows = Windows.over(600, window=128, overlap=32)
    for share in windows.shares[1:-1]:
        middle = int(share.argmax())
        assert (share[: middle + 1].diff() >= -1e-6).all() and share[0] < 0.1
        assert (share[middle:].diff() <= 1e-6).all() and share[-1] < 0.1


@pytest.mark.parametrize("frames", LENGTHS)
def test_a_frame_by_frame_predictor_answers_the_same_windowed_or_whole(frames):
    windows = Windows.over(frames, window=128, overlap=32)

    def predict(x_t, t):
        return torch.sin(x_t) + t

    noise = torch.randn(frames, 3)
    windowed = sample(windows.predict(predict), noise[None], steps=3)[0]
    assert torch.allclose(windowed, sample(predict, noise, steps=3), atol=1e-5)


@pytest.mark.parametrize("frames", [1, 40, 128])
def test_a_clip_of_at_most_one_window_is_the_bare_predictor(frames):
    windows = Windows.over(frames, window=128, overlap=32)

    def predict(x_t, t):
        return x_t.cumsum(-2) * t

    noise = torch.randn(frames, 3)
    assert len(windows) == 1
    assert torch.equal(windows.predict(predict)(noise[None], 0.5)[0], predict(noise, 0.5))


def test_cutting_keeps_every_window_in_place():
    clip = torch.arange(300.0)[:, None]
    windows = Windows.over(300, window=128, overlap=32)
    parts = windows.cut(clip)
    assert parts.shape == (len(windows), 128, 1)
    for part, start in zip(parts, windows.starts, strict=True):
        assert torch.equal(part, clip[start : start + 128])
    assert torch.allclose(windows.blend(parts), clip, atol=1e-3)


def test_a_longer_clip_begins_with_the_same_noise():
    assert torch.equal(frame_noise(300, 7, seed=3)[:101], frame_noise(101, 7, seed=3))
    assert not torch.equal(frame_noise(9, 7, seed=3), frame_noise(9, 7, seed=4))
    assert abs(np.std(frame_noise(2000, 7, seed=0).numpy()) - 1) < 0.02

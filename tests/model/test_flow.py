import math

import pytest
import torch

from kmspeaker.model.flow import interpolate, sample, velocity


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_a_predictor_of_one_answer_is_sampled_to_that_answer(steps):
    answer = torch.randn(5, 3, dtype=torch.float64)
    noise = torch.randn(5, 3, dtype=torch.float64)
    assert torch.allclose(sample(lambda x_t, t: answer, noise, steps=steps), answer, atol=1e-12)


def test_the_path_begins_at_noise_and_ends_at_data():
    x_0, x_1 = torch.randn(2, 5, 3)
    assert torch.equal(interpolate(x_0, x_1, torch.zeros(1)), x_0)
    assert torch.equal(interpolate(x_0, x_1, torch.ones(1)), x_1)


def test_the_velocity_is_that_of_the_straight_path():
    x_0, x_1 = torch.randn(2, 5, 3)
    x_t = interpolate(x_0, x_1, torch.tensor(0.3))
    assert torch.allclose(velocity(x_t, x_1, 0.3), x_1 - x_0, atol=1e-5)


@pytest.mark.parametrize(
    ("rate", "whole"),
    [
        (lambda t: 3 * t**2, 1.0),
        (lambda t: math.cos(2 * t), math.sin(2) / 2),
        (lambda t: math.exp(t), math.e - 1),
    ],
)
def test_a_field_that_varies_in_time_is_integrated_to_second_order(rate, whole):
    """A fourfold smaller error for twice the steps; of Euler's method it would be half."""

    def predict(x_t, t):
        return x_t + (1 - t) * rate(t)

    start = torch.zeros(1, dtype=torch.float64)
    errors = [abs(float(sample(predict, start, steps=n)) - whole) for n in (4, 8, 16)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def test_a_field_that_varies_in_place_is_integrated_to_second_order():
    """``dx/dt = x``: the state at 1 is e times that at 0."""
    start = torch.ones(1, dtype=torch.float64)
    errors = [
        abs(float(sample(lambda x_t, t: x_t + (1 - t) * x_t, start, steps=n)) - math.e)
        for n in (4, 8, 16)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.2)


MEAN = 2.0


def posterior_mean(spread: float):
    """E[x_1 | x_t] of normal data and standard normal noise: the best possible network."""

    def predict(x_t, t):
        gain = t * spread**2 / (t**2 * spread**2 + (1 - t) ** 2)
        return MEAN + gain * (x_t - t * MEAN)

    return predict


def spread_after(steps: int, spread: float) -> float:
    """The closed form: the field is linear in ``x``, so each midpoint step is a factor."""

    def slope(t: float) -> float:
        return (t * spread**2 - (1 - t)) / (t**2 * spread**2 + (1 - t) ** 2)

    h = 1 / steps
    factor = 1.0
    for k in range(steps):
        factor *= 1 + h * slope((k + 0.5) * h) * (1 + h / 2 * slope(k * h))
    return factor


@pytest.mark.parametrize("spread", [1.0, 0.5, 0.2])
def test_moments_of_a_gaussian_are_the_closed_forms_and_its_spread_is_kept(spread):
    noise = torch.linspace(-3, 3, 101, dtype=torch.float64)
    kept: dict[int, float] = {}
    for steps in range(1, 9):
        result = sample(posterior_mean(spread), noise, steps=steps)
        centre = result[50]
        assert float(centre) == pytest.approx(MEAN, abs=1e-9)
        assert torch.allclose(result - centre, spread_after(steps, spread) * noise, atol=1e-9)
        kept[steps] = spread_after(steps, spread) / spread
    assert kept[8] == pytest.approx(1, abs=0.015)
    assert abs(1 - kept[8]) < abs(1 - kept[4]) < abs(1 - kept[2])


@pytest.mark.parametrize("spread", [0.5, 0.2, 0.1])
def test_steps_that_grow_shorter_keep_the_spread_of_narrow_data(spread):
    noise = torch.linspace(-3, 3, 101, dtype=torch.float64)

    def kept(bend: float, steps: int = 4) -> float:
        result = sample(posterior_mean(spread), noise, steps=steps, bend=bend)
        return float(result.std() / noise.std()) / spread

    assert kept(1.0) == pytest.approx(spread_after(4, spread) / spread, abs=1e-9)
    assert 0.95 < kept(1.5) < 1.02
    if spread < 0.5:
        assert kept(1.5) > kept(1.0)


def test_the_last_step_returns_the_state_and_not_the_last_answer():
    """After two steps the last answer alone keeps less than half of this spread."""
    answers = []

    def predict(x_t, t):
        answers.append(posterior_mean(0.2)(x_t, t))
        return answers[-1]

    noise = torch.linspace(-3, 3, 101, dtype=torch.float64)
    state = sample(predict, noise, steps=2)
    assert float(state.std() / noise.std()) / 0.2 == pytest.approx(0.77, abs=0.01)
    assert float(answers[-1].std() / noise.std()) / 0.2 < 0.5


def test_times_rise_and_stay_below_one():
    times = []

    def predict(x_t, t):
        times.append(t)
        return x_t

    for bend in (1.0, 1.5):
        times.clear()
        sample(predict, torch.zeros(2), steps=5, bend=bend)
        assert times == sorted(times) and times[0] == 0 and times[-1] < 1
        assert len(times) == 2 * 5


def test_an_item_of_a_batch_is_that_item_alone():
    noise = torch.randn(3, 4)

    def predict(x_t, t):
        return torch.sin(3 * x_t) + t

    together = sample(predict, noise, steps=6)
    alone = torch.stack([sample(predict, row, steps=6) for row in noise])
    assert torch.equal(together, alone)


def test_progress_rises_to_one():
    fractions: list[float] = []
    sample(lambda x_t, t: x_t, torch.zeros(2), steps=4, bend=2.0, progress=fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1.0]

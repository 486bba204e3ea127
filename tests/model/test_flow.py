import pytest
import torch

from kmspeaker.model.flow import EVALUATIONS_PER_STEP, METHODS, interpolate, sample, velocity


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_a_predictor_of_one_answer_is_sampled_to_exactly_that_answer(method, steps):
    answer = torch.randn(5, 3)
    result = sample(lambda x_t, t: answer, torch.randn(5, 3), steps=steps, method=method)
    assert torch.equal(result, answer)


def test_the_path_begins_at_noise_and_ends_at_data():
    x_0, x_1 = torch.randn(2, 5, 3)
    assert torch.equal(interpolate(x_0, x_1, torch.zeros(1)), x_0)
    assert torch.equal(interpolate(x_0, x_1, torch.ones(1)), x_1)


def test_the_velocity_is_that_of_the_straight_path():
    x_0, x_1 = torch.randn(2, 5, 3)
    x_t = interpolate(x_0, x_1, torch.tensor(0.3))
    assert torch.allclose(velocity(x_t, x_1, 0.3), x_1 - x_0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_noise_is_carried_to_the_moments_of_a_gaussian(method):
    mean, spread = 2.0, 0.5

    def posterior_mean(x_t, t):
        """E[x_1 | x_t] where x_0 is standard normal and x_1 normal."""
        gain = t * spread**2 / (t**2 * spread**2 + (1 - t) ** 2)
        return mean + gain * (x_t - t * mean)

    noise = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    result = sample(posterior_mean, noise, steps=50, method=method)
    assert abs(float(result.mean()) - mean) < 0.02
    assert abs(float(result.std()) - spread) < 0.03


@pytest.mark.parametrize("method", METHODS)
def test_times_rise_and_stay_below_one(method):
    times = []

    def predict(x_t, t):
        times.append(t)
        return x_t

    sample(predict, torch.zeros(2), steps=5, method=method)
    assert times == sorted(times) and times[0] == 0 and times[-1] < 1
    assert len(times) == 5 * EVALUATIONS_PER_STEP[method]


def test_an_item_of_a_batch_is_that_item_alone():
    noise = torch.randn(3, 4)

    def predict(x_t, t):
        return torch.sin(3 * x_t) + t

    together = sample(predict, noise, steps=6)
    alone = torch.stack([sample(predict, row, steps=6) for row in noise])
    assert torch.equal(together, alone)


def test_progress_rises_to_one():
    told: list[float] = []
    sample(lambda x_t, t: x_t, torch.zeros(2), steps=4, progress=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]

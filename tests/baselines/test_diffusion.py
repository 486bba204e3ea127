import math

import pytest
import torch

from kmspeaker.baselines.diffusion import SCHEDULES, Schedule

DATA = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [50, 500, 1000])
def test_a_schedule_falls_from_data_to_noise(name, steps):
    schedule = SCHEDULES[name](steps)
    assert len(schedule) == steps
    assert schedule.kept[0] == 1
    assert (schedule.kept.diff() < 0).all()
    assert 0 < schedule.kept[-1] < 1e-4


def test_the_cosine_schedule_keeps_a_squared_cosine():
    """Until the last step, whose rate is held below 1."""
    kept = Schedule.cosine(500).kept
    for step in (0, 1, 100, 250, 400, 499):
        angles = [(place / 500 + 0.008) / 1.008 * math.pi / 2 for place in (step, 0)]
        top, bottom = (math.cos(angle) ** 2 for angle in angles)
        assert float(kept[step]) == pytest.approx(top / bottom, rel=1e-3)
    assert float(kept[500] / kept[499]) == pytest.approx(0.001, rel=1e-3)


def test_the_linear_schedule_keeps_the_product_of_its_rates():
    kept = Schedule.linear(1000).kept
    product = 1.0
    for step in range(1000):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * step / 999)
        assert float(kept[step + 1]) == pytest.approx(product, rel=1e-4)


def test_each_item_is_noised_by_its_own_step():
    schedule = Schedule.cosine(100)
    step = torch.tensor([0, 1, 50, 99, 100])
    noised = schedule.noised(DATA, NOISE, step)
    assert torch.equal(noised[0], DATA[0])
    for item, n in enumerate(step.tolist()):
        share = float(schedule.kept[n])
        expected = math.sqrt(share) * DATA[item] + math.sqrt(1 - share) * NOISE[item]
        assert torch.allclose(noised[item], expected, atol=1e-6)
    assert torch.allclose(noised[4], NOISE[4], atol=0.01)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_a_perfect_denoiser_is_sampled_to_the_data_exactly(name, steps):
    assert torch.equal(SCHEDULES[name](100).sample(lambda x, n: DATA, NOISE, steps=steps), DATA)


def test_a_sampler_on_the_way_is_at_what_the_schedule_says():
    """With a perfect denoiser each sample is the data with the first noise, at its step."""
    schedule = Schedule.cosine(100)
    begun = schedule.noised(DATA, NOISE, torch.full((5,), 100))
    seen = {}

    def denoise(x, step):
        seen[step] = x
        return DATA

    schedule.sample(denoise, begun, steps=5)
    assert list(seen) == [100, 80, 60, 40, 20]
    for step, x in seen.items():
        assert torch.allclose(x, schedule.noised(DATA, NOISE, torch.full((5,), step)), atol=1e-3)


def kept_spread(spread: float, steps: int, bend: float = 1.0) -> float:
    """Of normal data the best denoiser is known, and DDIM only scales the noise."""
    schedule = Schedule.cosine(500)

    def denoise(x, step):
        kept = float(schedule.kept[step])
        return x * math.sqrt(kept) * spread**2 / (kept * spread**2 + 1 - kept)

    return float(schedule.sample(denoise, torch.ones(1), steps=steps, bend=bend)) / spread


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_many_steps_keep_the_spread_of_the_data(spread):
    reached = {steps: kept_spread(spread, steps) for steps in (3, 10, 50, 500)}
    assert reached[3] < reached[10] < reached[50] < reached[500]
    assert reached[500] == pytest.approx(1, abs=0.01)


def test_steps_that_grow_shorter_towards_the_data_keep_more_of_its_spread():
    assert kept_spread(0.3, 10) == pytest.approx(0.79, abs=0.005)
    assert kept_spread(0.3, 10, bend=1.5) == pytest.approx(0.86, abs=0.005)


def test_more_steps_than_the_schedule_has_are_as_many_as_it_has():
    schedule = Schedule.cosine(7)
    steps, fractions = [], []

    def denoise(x, step):
        steps.append(step)
        return DATA

    schedule.sample(denoise, NOISE, steps=50, progress=fractions.append)
    assert steps == [7, 6, 5, 4, 3, 2, 1]
    assert fractions == [done / 7 for done in range(1, 8)]

"""Every formula by hand, and the laws that all of them keep."""

import numpy as np
import pytest
from tiny_model import some_weights

from kmspeaker.errors import InputError
from kmspeaker.evaluation import metrics
from kmspeaker.evaluation.judge import MEASURES, Judge
from kmspeaker.evaluation.metrics import Region
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.reference.performance import Performance

REAL = np.zeros((2, 2, 3))
MADE = np.array([[[3.0, 4, 0], [0, 0, 0]], [[0, 0, 1], [0, 2, 0]]])
"""Two frames of two points: 5 and 0 mm off, then 1 and 2 mm."""
PAIRED = (
    metrics.mean_distance,
    metrics.mean_squared_distance,
    metrics.lve_max,
    metrics.lve_max_squared,
    metrics.fdd,
    metrics.fdd_signed,
    metrics.fdd_by_point,
    metrics.dtw,
)


@pytest.fixture(scope="module")
def judge(face: FaceModel) -> Judge:
    return Judge.of(face, 30.0)


def test_distances_by_hand():
    assert metrics.distances(MADE, REAL).tolist() == [[5, 0], [1, 2]]
    assert metrics.mean_distance(MADE, REAL) == 2
    assert metrics.mean_squared_distance(MADE, REAL) == (25 + 0 + 1 + 4) / 4
    assert metrics.lve_max(MADE, REAL) == (5 + 2) / 2
    assert metrics.lve_max_squared(MADE, REAL) == (25 + 4) / 2


def test_dynamics_by_hand_squared_or_not_and_signed_or_not():
    # Sizes 5, 1 and 0, 2 over time: deviations 2 and 1; squared 25, 1 and 0, 4: 12 and 2.
    assert metrics.dynamics(MADE).tolist() == [2, 1]
    assert metrics.dynamics(MADE, squared=True).tolist() == [12, 2]
    assert metrics.fdd_signed(MADE, REAL) == -1.5  # made is livelier: real less made
    assert metrics.fdd_signed(REAL, MADE) == 1.5
    assert metrics.fdd(MADE, REAL) == metrics.fdd(REAL, MADE) == 1.5
    assert metrics.fdd_signed(MADE, REAL, squared=True) == -7
    assert metrics.fdd(MADE, REAL, squared=True) == 7


def test_the_right_points_must_move_for_fdd_by_point():
    swapped = MADE[:, ::-1]
    assert metrics.fdd(swapped, MADE) == 0
    assert metrics.fdd_by_point(swapped, MADE) == 1


def test_a_signed_figure_cancels_over_sequences_and_its_size_does_not():
    made, real = np.stack([MADE, REAL]), np.stack([REAL, MADE])
    assert metrics.fdd_signed(made, real).mean() == 0
    assert metrics.fdd(made, real).mean() == 1.5


def test_openings_by_hand():
    assert metrics.mod(np.array([1.0, 5.0]), np.array([2.0, 2.0])) == 2
    rest = np.array([[0.0, 10, 0], [0, -5, 0]])
    assert metrics.vertical_extent(MADE, rest).tolist() == [19, 13]  # 14 to -5, 10 to -3


def test_warping_by_hand_forgives_lateness_and_not_size():
    def path(*heights: float) -> np.ndarray:
        return np.array([[[0.0, height, 0.0]] for height in heights])

    real = path(0, 1, 2, 1, 0)
    late = path(0, 0, 0, 1, 2, 1, 0)
    assert metrics.dtw(late, real) == 0
    assert metrics.dtw(path(0, 1, 3, 1, 0), real) == pytest.approx(1 / 5)
    # Two points, one of them 2 off in the one frame: root mean square of 2 and 0.
    two = np.zeros((1, 2, 3))
    assert metrics.dtw(two + np.array([[[2, 0, 0], [0, 0, 0]]]), two) == pytest.approx(np.sqrt(2))


def test_warping_costs_what_a_search_of_every_path_finds():
    def slowly(cost: np.ndarray) -> float:
        least = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
        least[0, 0] = 0
        for i, j in np.ndindex(cost.shape):
            best = min(least[i, j], least[i + 1, j], least[i, j + 1])
            least[i + 1, j + 1] = cost[i, j] + best
        return least[-1, -1]

    rng = np.random.default_rng(0)
    for frames in ((1, 1), (1, 6), (7, 5), (9, 12)):
        one, other = (rng.normal(size=(n, 4, 3)) for n in frames)
        cost = np.linalg.norm((one[:, None] - other[None]).reshape(*frames, -1), axis=2) / 2
        assert metrics.dtw(one, other) == pytest.approx(slowly(cost) / frames[1])


def test_the_cosine_of_embeddings_by_hand():
    one = np.array([1.0, 0.0])
    others = np.array([[2.0, 0], [0, 3], [-1, 0], [1, 1], [0, 0]])
    assert metrics.style_cosine(one, others) == pytest.approx([1, 0, -1, np.sqrt(0.5), 0])


def test_diversity_and_the_best_of_takes_by_hand():
    takes = np.stack([REAL, MADE, MADE])
    assert metrics.diversity(takes) == pytest.approx((2 + 2 + 0) / 3)
    assert metrics.diversity(takes[:1]) == 0
    assert metrics.mean_and_best(metrics.mean_distance, takes, REAL) == pytest.approx((4 / 3, 0))


@pytest.mark.parametrize("measure", PAIRED, ids=lambda each: each.__name__)
class TestLaws:
    one, other = (np.random.default_rng(k).normal(size=(9, 5, 3)) for k in (0, 1))

    def test_the_same_motion_has_no_error(self, measure):
        assert measure(self.one, self.one) == 0

    def test_twice_as_large_is_twice_as_far_off_or_four_times_if_squared(self, measure):
        factor = 4 if "squared" in measure.__name__ else 2
        once, twice = measure(self.one, self.other), measure(2 * self.one, 2 * self.other)
        assert twice == pytest.approx(factor * once)

    def test_neither_is_first_but_for_signs(self, measure):
        sign = -1 if "signed" in measure.__name__ else 1
        assert measure(self.one, self.other) == pytest.approx(sign * measure(self.other, self.one))

    def test_a_batch_is_what_each_is_alone(self, measure):
        batch = measure(
            np.stack([self.one, self.other, self.one]), np.stack([self.other, self.one, self.one])
        )
        assert batch.shape == (3,)
        alone = [float(measure(self.one, self.other)), float(measure(self.other, self.one)), 0.0]
        assert batch == pytest.approx(alone)

    def test_sequences_of_unequal_length_are_refused(self, measure):
        other = self.other[:, :4] if measure is metrics.dtw else self.other[:-1]
        with pytest.raises(InputError, match="same"):
            measure(self.one, other)


def test_openings_of_unequal_length_are_refused():
    with pytest.raises(InputError, match="same frames"):
        metrics.mod(np.zeros(4), np.zeros(5))


def test_frechet_is_zero_for_itself_symmetric_and_the_squared_shift_of_a_held_pose(face: FaceModel):
    poses = np.zeros((2, 12, 52), np.float32)
    poses[1, :, ARKIT_INDEX["jawOpen"]] = 0.5
    one, other = (metrics.describe(Performance.from_weights(pose, 30.0), face) for pose in poses)
    assert metrics.frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet(one, other) == pytest.approx(metrics.frechet(other, one))
    assert metrics.frechet(one, other) == pytest.approx(((one.mean - other.mean) ** 2).sum())
    with pytest.raises(InputError, match="3 frames"):
        metrics.describe(Performance.from_weights(poses[0, :3], 30.0), face)


def test_a_measure_without_its_region_is_refused(face: FaceModel):
    with pytest.raises(InputError, match="ears"):
        Region.of(face, "ears")
    for name in metrics.REGIONS:
        region = Region.of(face, name)
        assert region.deltas.shape[1:] == region.rest.shape and len(region.rest)


class TestJudge:
    def jaw(self, *amounts: float) -> np.ndarray:
        weights = np.zeros((len(amounts), 52), np.float32)
        weights[:, ARKIT_INDEX["jawOpen"]] = amounts
        return weights

    def test_the_same_take_has_no_error(self, judge: Judge):
        take = some_weights(40, 1)
        for name, value in judge.errors(take, take).items():
            if name not in ("amplitude", "jitter"):
                assert value == 0, name
        assert judge.upper_errors(take, take, judge.creases(take)) == {
            "U-MSE": 0,
            "creases": 1,
            "stretches": 1,
        }
        assert judge.talk(take, take)["lips follow"] == pytest.approx(1)
        reference = Performance.from_weights(take, 30.0)
        assert judge.style(take, reference)["style distance"] == pytest.approx(0, abs=1e-6)

    def test_its_figures_are_those_of_the_formulas(self, judge: Judge):
        made, real = some_weights(30, 1), some_weights(30, 2)
        whole, upper, lips = (
            [region.motion(each) for each in (made, real)]
            for region in (judge.whole, judge.upper, judge.lips)
        )
        expected = {
            "MSE": metrics.mean_distance(*whole),
            "MSE squared": metrics.mean_squared_distance(*whole),
            "FDD": metrics.fdd(*upper),
            "FDD signed": metrics.fdd_signed(*upper),
            "FDD squared": metrics.fdd(*upper, squared=True),
            "FDD squared signed": metrics.fdd_signed(*upper, squared=True),
            "FDD by point": metrics.fdd_by_point(*upper),
            "LVE mean": metrics.mean_distance(*lips),
            "LVE max": metrics.lve_max(*lips),
            "LVE max squared": metrics.lve_max_squared(*lips),
            "LDD": metrics.fdd(*lips),
            "LDTW": metrics.dtw(*lips),
        }
        found = judge.errors(made, real)
        for name, value in expected.items():
            assert found[name] == pytest.approx(float(value), rel=1e-5), name

    def test_what_is_off_is_counted(self, judge: Judge):
        opening = float(judge.face.lip_opening[ARKIT_INDEX["jawOpen"]])
        real = self.jaw(*np.linspace(0, 0.5, 30))
        errors = judge.errors(np.zeros_like(real), real)
        assert errors["MOD"] == pytest.approx(0.25 * opening, rel=1e-3)
        assert errors["LVE max"] > errors["LVE mean"] > errors["MSE"] > 0
        assert errors["FDD signed"] > 0  # the made face is too still
        assert errors["FDD"] == pytest.approx(abs(errors["FDD signed"]))
        assert errors["amplitude"] == 0

    def test_every_figure_it_gives_is_defined(self, judge: Judge):
        one, other = some_weights(60, 1), some_weights(60, 2)
        found = (
            judge.errors(one, other)
            | judge.upper_errors(one, other, judge.creases(other))
            | judge.style(one, Performance.from_weights(other, 30.0))
            | judge.talk(one, other)
            | judge.chance((one, other), other)
        )
        assert set(found) <= set(MEASURES)
        assert all(np.isfinite(value) for value in found.values())

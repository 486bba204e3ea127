import numpy as np
import pytest

from kmspeaker.corpus.contacts import Contacts
from kmspeaker.corpus.openness import fit_openness, opened, opening
from kmspeaker.face import ARKIT_INDEX, FaceModel

PHONES = (("SIL", 0.0, 1.0), ("AA", 1.0, 3.0), ("SIL", 3.0, 4.0))


@pytest.fixture(scope="module")
def contacts(face: FaceModel) -> Contacts:
    return Contacts.of(face)


def half_open(frames: int = 120) -> np.ndarray:
    """A jaw that opens and shuts twice a second."""
    mouth = np.zeros((frames, 52), np.float32)
    for name, weight in (("mouthLowerDown", 0.4), ("mouthUpperUp", 0.2)):
        mouth[:, [ARKIT_INDEX[f"{name}Left"], ARKIT_INDEX[f"{name}Right"]]] = weight
    mouth[:, ARKIT_INDEX["jawOpen"]] = 0.25 + 0.15 * np.sin(np.arange(frames) * 2 * np.pi / 15)
    return mouth


def test_a_linear_opening_is_found_again_on_speech_it_has_not_heard():
    rng = np.random.default_rng(0)
    slope = rng.standard_normal(6)

    def clip() -> tuple[np.ndarray, np.ndarray]:
        heard = rng.standard_normal((200, 6)).astype(np.float32) * [1, 1, 5, 1, 1, 0.1]
        return heard, heard @ slope + 3.0

    ridge = fit_openness(clip() for _ in range(40))
    assert ridge is not None
    heard, real = clip()
    assert np.corrcoef(ridge.predict(heard), real)[0, 1] > 0.99
    assert ridge.predict(heard).mean() == pytest.approx(real.mean(), abs=0.5)


def test_without_videos_nothing_is_learnt():
    assert fit_openness(iter(())) is None


def test_the_mouth_opens_as_is_heard_while_it_speaks_and_rests_in_silence(contacts: Contacts):
    mouth = half_open()
    heard = np.cos(np.arange(120) * 2 * np.pi / 40) * 7 - 30
    moved = opened(mouth, heard, 1.0, PHONES, contacts, 30.0)
    middle = slice(36, 84)
    assert np.corrcoef(opening(moved, contacts)[middle], heard[middle])[0, 1] > 0.99
    ruled = opening(mouth, contacts)[30:90]
    assert opening(moved, contacts)[middle].mean() == pytest.approx(ruled.mean(), abs=0.7)
    assert np.allclose(moved[:20], mouth[:20], atol=1e-4)
    assert np.allclose(moved[-20:], mouth[-20:], atol=1e-4)


def test_shares_lie_between_rule_and_sound(contacts: Contacts):
    mouth, heard = half_open(), np.cos(np.arange(120) * 2 * np.pi / 40)
    none = opened(mouth, heard, 0.0, PHONES, contacts, 30.0)
    half, whole = (opened(mouth, heard, share, PHONES, contacts, 30.0) for share in (0.5, 1.0))
    assert np.array_equal(none, mouth)
    expected = (opening(mouth, contacts) + opening(whole, contacts)) / 2
    assert np.allclose(opening(half, contacts), expected, atol=0.7)  # weights end at 0 and 1


def test_only_shapes_that_open_the_mouth_move(contacts: Contacts):
    mouth = half_open()
    mouth[:, ARKIT_INDEX["mouthSmileLeft"]] = 0.3
    moved = opened(mouth, np.arange(120.0) % 17, 0.7, PHONES, contacts, 30.0)
    changed = {name for name, index in ARKIT_INDEX.items() if (moved != mouth)[:, index].any()}
    assert changed <= {
        "jawOpen",
        "mouthLowerDownLeft",
        "mouthLowerDownRight",
        "mouthUpperUpLeft",
        "mouthUpperUpRight",
    }
    assert moved.min() >= 0 and moved.max() <= 1

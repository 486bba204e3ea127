import shutil

import numpy as np
import pytest

from kmspeaker.corpus.performances.recordings import UpperFaces, mirror, read_facegood
from kmspeaker.corpus.performances.states import (
    INTENSITIES,
    STATES,
    Role,
    draw_actors,
    draw_role,
    synthesize_performance,
)
from kmspeaker.corpus.performances.upper_face import Habits, draw_blinks, random_walk
from kmspeaker.errors import InputError
from kmspeaker.face.contacts import Contacts
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, UPPER_SHAPES
from kmspeaker.media.audio import SAMPLE_RATE

FPS = 30.0
ROUNDING = [ARKIT_INDEX["mouthPucker"], ARKIT_INDEX["mouthFunnel"]]
HABITS = Habits(15.0, 0.4, {"browInnerUp": 0.3}, 1.0, 1.0)
WORDS = (
    *(("SIL", 0.0, 0.5), ("B", 0.5, 0.58), ("AA", 0.58, 0.75), ("T", 0.75, 0.85)),
    *(("M", 0.85, 0.93), ("IY", 0.93, 1.1), ("SIL", 1.1, 2.0), ("P", 2.0, 2.07)),
    *(("AE", 2.07, 2.25), ("F", 2.25, 2.33), ("OW", 2.33, 2.5), ("SIL", 2.5, 4.0)),
)


@pytest.fixture(scope="module")
def upper_faces(data) -> UpperFaces:
    return UpperFaces.read(data / "capture/livelink", FPS)


@pytest.fixture(scope="module")
def actors(face):
    return draw_actors(face.identities, 0)


@pytest.fixture(scope="module")
def play(face, upper_faces):
    contacts = Contacts.of(face)

    def run(role: Role, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        effort = np.ones(len(WORDS))
        return synthesize_performance(
            rng, role, WORDS, effort, 4.0, contacts=contacts, upper_faces=upper_faces
        )

    return run


def every_role(actor):
    yield Role(actor, "neutral", "none")
    for emotion in STATES:
        if emotion != "neutral":
            yield from (Role(actor, emotion, intensity) for intensity in INTENSITIES)


def test_twelve_actors_have_articulations_of_their_own_and_the_same_each_time(face, actors):
    again = draw_actors(face.identities, 0)
    assert [actor.articulation for actor in again] == [actor.articulation for actor in actors]
    assert len({actor.articulation for actor in actors}) == 12
    assert len({actor.habits.blinks_a_minute for actor in actors}) == 12
    assert draw_actors(face.identities, 1)[0].articulation != actors[0].articulation


def test_lips_close_in_every_state_and_the_weights_can_be_played(face, actors, play):
    gap_of = face.lip_opening
    for number, role in enumerate(every_role(actors[3])):
        weights = play(role, number)
        assert weights.shape == (120, 52) and weights.dtype == np.float32
        assert weights.min() >= 0 and weights.max() <= 1
        gap = weights @ gap_of
        for name, start, end in WORDS:
            if name in ("B", "M", "P"):
                assert gap[int(start * FPS) : int(end * FPS) + 2].min() < 0.3, role


def test_the_same_chance_gives_the_same_performance(actors, play):
    role = Role(actors[0], "angry", "moderate")
    np.testing.assert_array_equal(play(role, 5), play(role, 5))
    assert np.abs(play(role, 5) - play(role, 6)).max() > 0.1


def test_a_state_shows_on_the_whole_face_and_more_when_heightened(actors, play):
    def mean(emotion: str, intensity: str, name: str) -> float:
        role = Role(actors[1], emotion, intensity)
        performances = [play(role, seed)[:, ARKIT_INDEX[name]].mean() for seed in range(4)]
        return float(np.mean(performances))

    smile = [
        mean(*style, "mouthSmileLeft")
        for style in (("neutral", "none"), ("happy", "moderate"), ("happy", "heightened"))
    ]
    assert smile[0] + 0.1 < smile[1] < smile[2] - 0.05
    assert mean("angry", "heightened", "browDownLeft") > mean(
        "surprise", "heightened", "browDownLeft"
    )


def test_lips_round_through_any_state(actors, play):
    for number, state in enumerate(STATES):
        role = Role(actors[4], state, "none" if state == "neutral" else "heightened")
        weights = play(role, number)
        rounded = weights[round(2.42 * FPS), ROUNDING].sum()
        spread = weights[round(1.02 * FPS), ROUNDING].sum()
        assert rounded > spread + 0.2, state
        smile = weights[:, ARKIT_INDEX["mouthSmileLeft"]]
        if state == "happy":
            assert smile[round(2.42 * FPS)] < 0.75 * smile[round(1.02 * FPS)]


def test_states_differ_in_how_the_face_moves_and_not_only_in_its_pose(actors, play):
    def blinks_a_take(emotion: str) -> float:
        role = Role(actors[0], emotion, "heightened")
        lids = [play(role, seed)[:, ARKIT_INDEX["eyeBlinkLeft"]] for seed in range(24)]
        return float(np.mean([np.sum((lid[1:] > 0.6) & (lid[:-1] <= 0.6)) for lid in lids]))

    assert blinks_a_take("fear") > blinks_a_take("authority")


def test_an_actor_is_careful_in_one_take_and_mumbles_in_another(face, actors, play):
    gap_of = face.lip_opening
    role = Role(actors[5], "neutral", "none")
    opened = [float((play(role, seed) @ gap_of).max()) for seed in range(12)]
    assert max(opened) > 1.25 * min(opened)


def test_the_voice_does_not_give_the_upper_face_away(actors, play):
    role = Role(actors[2], "neutral", "none")
    brows = [ARKIT_NAMES.index("browInnerUp"), ARKIT_NAMES.index("browDownLeft")]
    performances = np.stack([play(role, seed)[:, brows].ravel() for seed in range(12)])
    alike = np.corrcoef(performances - performances.mean(1, keepdims=True))
    others = ~np.eye(len(performances), dtype=bool)
    assert np.abs(np.nanmean(alike, where=others)) < 0.35


def test_blinks_come_as_often_and_last_as_long_as_peoples():
    rng = np.random.default_rng(0)
    lids = draw_blinks(rng, HABITS, (), 600 * 120, 120.0)
    closing = np.flatnonzero((lids[1:] > 0.5) & (lids[:-1] <= 0.5))
    opening = np.flatnonzero((lids[1:] <= 0.5) & (lids[:-1] > 0.5))
    assert 10 < len(closing) / 10 < 22  # a minute
    lasting = np.median(opening - closing) / 120
    assert 0.08 < lasting < 0.16
    pauses = np.diff(closing) / 120
    assert np.std(np.log(pauses)) > 0.4  # people do not blink like clockwork
    assert lids.max() <= 1


def test_people_blink_at_the_ends_of_phrases():
    phones = tuple(
        phone
        for k in range(200)
        for phone in (("AA", 3.0 * k, 3.0 * k + 2), ("SIL", 3.0 * k + 2, 3.0 * k + 3))
    )
    lids = draw_blinks(np.random.default_rng(0), HABITS, phones, 600 * 30, 30.0)
    closing = np.flatnonzero((lids[1:] > 0.5) & (lids[:-1] <= 0.5)) / 30 % 3.0
    at_ends = np.mean((closing > 1.9) & (closing < 2.4))
    assert at_ends > 2 * 0.5 / 3.0 * 0.9


def test_a_walk_has_unit_variance_whatever_its_pace():
    for seconds in (0.5, 2.0):
        walk = random_walk(np.random.default_rng(0), 30_000, FPS, seconds)
        assert walk.std() == pytest.approx(1.0, abs=0.15)


def test_mirroring_twice_changes_nothing(upper_faces):
    weights = upper_faces.performances[0]
    np.testing.assert_array_equal(mirror(mirror(weights)), weights)
    left, right = ARKIT_INDEX["eyeLookInLeft"], ARKIT_INDEX["eyeLookInRight"]
    np.testing.assert_array_equal(mirror(weights)[:, left], weights[:, right])


def test_recorded_upper_faces_move_nothing_else_and_never_come_twice(upper_faces):
    one = upper_faces.replay(np.random.default_rng(0), 300)
    other = upper_faces.replay(np.random.default_rng(1), 300)
    assert not one[:, ~UPPER_SHAPES].any()
    assert one[:, UPPER_SHAPES].std(axis=0).max() > 0.02
    assert np.abs(one - other).max() > 0.1


def test_captured_lips_close_open_and_lead_their_sound(face, shared, tmp_path):
    folder = tmp_path / "facegood"
    folder.mkdir()
    for suffix in (".npz", ".opus"):
        shutil.copy(shared / f"data/capture/facegood/1114_3_15{suffix}", folder)
    (recording,) = read_facegood(folder, FPS, 0.033)
    gap = recording.mouth @ face.lip_opening
    assert np.quantile(gap, 0.2) < 0.3
    assert 6 < np.quantile(gap, 0.95) < 24  # mm; a man talking, on shapes larger than his own
    assert np.abs(np.diff(gap)).max() * FPS < 600
    sound = recording.sound()
    size = round(SAMPLE_RATE / FPS)
    frames = min(len(gap), len(sound) // size)
    loud = np.sqrt((sound[: frames * size].reshape(frames, size) ** 2).mean(1))
    lags = range(-6, 7)
    fits = [
        np.corrcoef(gap[10 + lag : frames - 10 + lag], loud[10 : frames - 10])[0, 1] for lag in lags
    ]
    assert -3 <= lags[int(np.argmax(fits))] <= 0


def test_an_unknown_state_is_refused(actors):
    with pytest.raises(InputError, match="bored"):
        Role(actors[0], "bored", "moderate")
    with pytest.raises(InputError, match="none"):
        Role(actors[0], "neutral", "heightened")


def test_all_states_and_actors_are_drawn(actors):
    rng = np.random.default_rng(0)
    drawn = [draw_role(rng, actors) for _ in range(600)]
    assert {role.emotion for role in drawn} == set(STATES)
    assert len({role.actor.identity for role in drawn}) == 12

import numpy as np
import pytest

from kmspeaker.corpus.lips.coarticulation import Articulation, articulate, vocal_effort
from kmspeaker.corpus.lips.contacts import contact_envelope, keep_contacts
from kmspeaker.corpus.lips.visemes import CHANNELS, Phone, channel_matrix
from kmspeaker.corpus.performances.upper_face import pose
from kmspeaker.errors import InputError
from kmspeaker.face.contacts import Contacts
from kmspeaker.face.lip_contact import MET
from kmspeaker.face.rig import ARKIT_INDEX

FPS = 30.0
PLAIN = ("AA", "S", "IY", "K", "AE", "T", "UW", "D", "EH", "N", "AO", "L")
VARIED = ("P", "F", "TH", "T", "S", "SH", "K", "R", "W", "Y", "IY", "AA", "UW")


def timed(*words: tuple[str, float]) -> tuple[tuple[Phone, ...], float]:
    """Phones one after the other, from their names and durations."""
    now, phones = 0.0, []
    for name, seconds in words:
        phones.append((name, now, now + seconds))
        now += seconds
    return tuple(phones), now


def curve(name: str, phones, seconds, **options) -> np.ndarray:
    return articulate(phones, seconds, fps=120.0, **options)[:, ARKIT_INDEX[name]]


def test_silence_rests():
    phones, seconds = timed(("SIL", 2.0))
    assert not articulate(phones, seconds).any()
    assert not articulate((), 1.0).any()


def test_a_long_pause_rests_in_its_middle_and_a_short_one_does_not():
    for pause, rests in ((1.0, True), (0.1, False)):
        phones, seconds = timed(("AA", 0.15), ("SIL", pause), ("AA", 0.15))
        middle = curve("jawOpen", phones, seconds)[round((0.15 + pause / 2) * 120)]
        assert (middle < 0.005) == rests


def test_lips_of_people_stand_apart_in_pauses_and_shut_in_long_rests(face):
    speech = [(name, 0.09) for name in PLAIN]
    phones, seconds = timed(("SIL", 3.0), *speech, ("SIL", 0.5), *speech, ("SIL", 3.0), *speech)
    person = Articulation(rest=1.0, patience=1.5)
    gap = articulate(phones, seconds, fps=120.0, articulation=person) @ face.lip_opening
    shut, apart = (
        articulate((), 2.0, fps=120.0, articulation=Articulation(rest=r, patience=9.0))
        @ face.lip_opening
        for r in (0.0, 1.0)
    )
    assert apart[120] > 2 and abs(shut[120]) < 0.05
    ends = np.cumsum([0.0, 3.0, len(PLAIN) * 0.09, 0.5, len(PLAIN) * 0.09, 3.0])

    def at(moment: float) -> float:
        return float(gap[round(moment * 120)])

    assert at(ends[2] + 0.25) == pytest.approx(apart[120], rel=0.35)  # a pause within speech
    assert abs(at(1.0)) < 0.2 and abs(at(ends[4] + 1.5)) < 0.2  # long rests
    assert at(ends[4] + 0.25) > 0.6 * apart[120]  # they linger
    for start in (3.0, ends[5]):  # and are apart again in time for a breath
        assert at(start - 0.1) > 0.7 * apart[120]
        assert at(start - 0.5) < 0.3 * apart[120]


def test_a_silent_mouth_stands_still_and_a_speaking_one_does_not(face):
    phones, seconds = timed(
        *[(name, 0.09) for name in PLAIN],
        ("SIL", 0.8),
        *[(name, 0.09) for name in reversed(PLAIN)],
        ("SIL", 1.0),
        *[(name, 0.09) for name in PLAIN],
    )
    gap = articulate(phones, seconds, fps=120.0) @ face.lip_opening
    speed = np.abs(np.gradient(gap))
    times = np.arange(len(gap)) / 120
    silences = [(start, end) for name, start, end in phones if name == "SIL"]
    silent = np.any([(times > a + 0.12) & (times < b - 0.12) for a, b in silences], axis=0)
    speaking = ~np.any([(times > a) & (times < b) for a, b in silences], axis=0)
    assert speed[silent].mean() < 0.05 * speed[speaking].mean()


def test_the_mouth_opens_before_the_vowel_sounds():
    phones, seconds = timed(("SIL", 0.5), ("AA", 0.2), ("SIL", 0.5))
    jaw = curve("jawOpen", phones, seconds)
    assert jaw[round(0.48 * 120)] > 0.03
    assert jaw[round(0.30 * 120)] < 0.01


def test_rounding_starts_earlier_than_opening():
    phones, seconds = timed(("SIL", 0.4), ("T", 0.1), ("T", 0.1), ("UW", 0.2), ("SIL", 0.4))
    pucker = curve("mouthPucker", phones, seconds)
    early = pucker[round(0.5 * 120)] / pucker.max()
    jaw_phones, _ = timed(("SIL", 0.4), ("T", 0.1), ("T", 0.1), ("AA", 0.2), ("SIL", 0.4))
    jaw = curve("jawOpen", jaw_phones, seconds)
    consonant = jaw[round(0.45 * 120)]
    assert early > 0.1
    assert early > (jaw[round(0.5 * 120)] - consonant) / (jaw.max() - consonant)


def test_fast_speech_undershoots():
    peaks = []
    for seconds in (0.05, 0.1, 0.25):
        phones, total = timed(("S", 0.1), ("AA", seconds), ("S", 0.1))
        peaks.append(curve("jawOpen", phones, total)[6:-6].max())
    assert peaks[0] < 0.8 * peaks[2]
    assert peaks[0] < peaks[1] < peaks[2]


def test_effort_and_articulation_scale_the_mouth():
    phones, seconds = timed(("SIL", 0.3), ("AA", 0.2), ("SIL", 0.3))
    usual = curve("jawOpen", phones, seconds).max()
    loud = curve("jawOpen", phones, seconds, effort=np.array([1, 1.3, 1])).max()
    mumbled = curve("jawOpen", phones, seconds, articulation=Articulation(jaw=0.5)).max()
    assert loud == pytest.approx(1.3 * usual, rel=0.01)
    assert mumbled == pytest.approx(0.5 * usual, rel=0.01)


def test_mumbled_and_careful_speech_differ_and_both_close_round_and_touch(face):
    phones, seconds = timed(
        *(("SIL", 0.2), ("B", 0.08), ("AA", 0.15), ("W", 0.08), ("UW", 0.15), ("F", 0.1)),
        *(("EH", 0.15), ("M", 0.08), ("SIL", 0.3)),
    )
    gap_of = face.lip_opening
    contacts = Contacts.of(face)
    opened = []
    for articulation in (
        Articulation(jaw=0.6, lips=0.6, reach=1.3),
        Articulation(),
        Articulation(jaw=1.3, lips=1.4),
    ):
        weights = keep_contacts(
            contacts, articulate(phones, seconds, articulation=articulation), phones, FPS
        )
        gap = weights @ gap_of
        opened.append(gap.max())
        for name, start, end in phones:
            near = slice(int(start * FPS), int(end * FPS) + 2)
            if name in ("B", "M"):
                assert gap[near].min() < 0.3
            if name == "UW":
                assert weights[near, ARKIT_INDEX["mouthPucker"]].max() > 0.3
            if name == "F":
                assert np.min(face.teeth_gap(weights[near], face.identities[0])) < 1.5
    assert opened[0] < 0.75 * opened[1] < 0.75 * 0.9 * opened[2]


def test_asymmetry_moves_one_side_more_and_leaves_the_mean():
    phones, seconds = timed(("IY", 0.3))
    even = articulate(phones, seconds)
    leaning = articulate(phones, seconds, articulation=Articulation(asymmetry=0.2))
    left, right = ARKIT_INDEX["mouthStretchLeft"], ARKIT_INDEX["mouthStretchRight"]
    assert (leaning[:, left] > leaning[:, right]).all()
    np.testing.assert_allclose(leaning[:, [left, right]].mean(1), even[:, left], atol=1e-6)


def test_the_rate_only_samples():
    phones, seconds = timed(("SIL", 0.2), ("B", 0.1), ("AA", 0.2), ("M", 0.1))
    np.testing.assert_allclose(
        articulate(phones, seconds, fps=60.0)[::2], articulate(phones, seconds, fps=30.0), atol=1e-6
    )


def test_motion_is_smooth_enough_for_a_jaw(face):
    phones, seconds = timed(*[(name, 0.06) for name in PLAIN])
    gap = articulate(phones, seconds, fps=120.0) @ face.lip_opening
    assert np.abs(np.diff(gap)).max() * 120 < 400  # mm/s; real lips reach about 300


def test_louder_vowels_have_more_effort_and_the_recording_level_does_not_matter():
    phones, seconds = timed(("AA", 0.3), ("T", 0.1), ("AA", 0.3), ("T", 0.1), ("AA", 0.3))
    times = np.arange(round(seconds * 16_000)) / 16_000
    sound = np.sin(2 * np.pi * 200 * times).astype(np.float32) * 0.1
    sound[(times > 0.4) & (times < 0.7)] *= 2
    effort = vocal_effort(sound, 16_000, phones)
    assert effort[2] == pytest.approx(10 ** (20 * np.log10(2) / 70), rel=0.02)
    assert effort[0] == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(vocal_effort(sound * 0.3, 16_000, phones), effort, atol=0.01)


def test_an_unknown_phone_is_refused_by_name():
    with pytest.raises(InputError, match="XX"):
        articulate((("XX", 0.0, 0.1),), 0.2)


def test_a_contact_is_never_between_two_frames():
    for start in np.arange(0, 0.034, 0.003):
        times = np.arange(30) / FPS
        assert contact_envelope([(0.3 + start, 0.33 + start)], times).max() == 1.0


@pytest.mark.parametrize("bilabial", ["P", "B", "M"])
def test_lips_close_on_the_mesh_whoever_speaks(face, bilabial):
    phones, seconds = timed(
        ("AA", 0.15), (bilabial, 0.05), ("AE", 0.15), (bilabial, 0.1), ("IY", 0.1)
    )
    weights = keep_contacts(Contacts.of(face), articulate(phones, seconds), phones, FPS)
    for identity in face.identities:
        gap = face.lip_gap(weights, identity) - face.lip_gap(np.zeros_like(weights), identity)
        for _, start, end in (phones[1], phones[3]):
            near = gap[int(start * FPS) : int(end * FPS) + 2]
            assert near.min() < 0.3
            assert near.min() > -1.2  # they touch, they do not pass through each other
        assert gap.max() > 5


@pytest.mark.parametrize("labiodental", ["F", "V"])
def test_the_lower_lip_meets_the_upper_teeth(face, labiodental):
    phones, seconds = timed(("AA", 0.15), (labiodental, 0.08), ("AO", 0.15))
    weights = keep_contacts(Contacts.of(face), articulate(phones, seconds), phones, FPS)
    nearest = [face.teeth_gap(weights, identity).min() for identity in face.identities]
    assert np.median(nearest) < MET
    assert max(nearest) < 2.2  # the teeth of some lie deeper
    assert face.teeth_gap(weights[:2], face.identities[0]).min() > 2


def test_no_expression_opens_a_closure(face):
    phones, seconds = timed(("AA", 0.15), ("B", 0.08), ("AA", 0.15))
    contacts = Contacts.of(face)
    for expression in (
        {"mouthSmile": 0.9, "mouthUpperUp": 0.4},
        {"mouthFunnel": 0.6, "jawOpen": 0.2},
        {"mouthLowerDown": 0.7, "mouthFrown": 0.6},
    ):
        weights = (articulate(phones, seconds) + pose(expression)).clip(0, 1).astype(np.float32)
        gap = keep_contacts(contacts, weights, phones, FPS) @ face.lip_opening
        assert gap[round(0.17 * FPS)] < 0.3


def test_contacts_leave_alone_what_breaks_none(face):
    phones, seconds = timed(("AA", 0.3), ("S", 0.2), ("AA", 0.3))
    weights = articulate(phones, seconds)
    kept = keep_contacts(Contacts.of(face), weights, phones, FPS)
    np.testing.assert_allclose(kept, weights, atol=1e-6)


def test_the_jaw_opens_at_least_as_far_as_the_lips_hide_it(face):
    phones, seconds = timed(("AA", 0.15), ("M", 0.2), ("AA", 0.15))
    weights = keep_contacts(Contacts.of(face), articulate(phones, seconds), phones, FPS)
    closing, jaw = weights[:, ARKIT_INDEX["mouthClose"]], weights[:, ARKIT_INDEX["jawOpen"]]
    assert (closing <= jaw + 2e-3).all()
    assert closing.max() > 0.01


def test_every_channel_of_the_mouth_is_used_by_some_phone():
    phones, seconds = timed(*[(name, 0.1) for name in VARIED])
    weights = articulate(phones, seconds)
    moved = weights.max(axis=0) > 0.005
    used = channel_matrix()[[CHANNELS.index(c) for c in ("jawOpen", "mouthPucker", "tongueOut")]]
    assert moved[used.any(axis=0)].all()

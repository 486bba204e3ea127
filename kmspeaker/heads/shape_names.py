"""Which ARKit shape a name means, as the programs of this world spell it.

Place in the flow: ``arkit_glb`` reads a file's morph targets by it. Before and after a shape's name
may stand what a program puts there (``Head_blendShape1.browDownLeft``, ``jawOpen.001``), and its
side before, behind, between or in brackets (``L_browDown``, ``browDown (Left)``). But a name that
says more of a face than the shape does is another shape's: ``mouthLeft_smile``, ``jawOpenExtreme``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES

_LONGEST = 96
"""Longer names mean nothing; looking for names in them would take long."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PARTS = re.compile(r"[A-Za-z]+")
_SIDES: dict[str, str] = {
    **dict.fromkeys(("l", "lt", "lf", "lft", "left"), "left"),
    **dict.fromkeys(("r", "rt", "rgt", "right"), "right"),
}
_HALVED = ("browinnerup", "cheekpuff")
"""Shapes that ARKit has in one piece, and some programs in two."""
_REGIONS = {"brow", "brows", "cheek", "eye", "eyes", "jaw", "mouth", "nose", "tongue"}
"""May stand before a name: a mesh or a group is called so."""
_MEANING = {w.lower() for name in ARKIT_NAMES for w in _WORDS.findall(name)} | _REGIONS | {*_SIDES}
_MEANING |= {
    *(
        "chin",
        "clench",
        "combo",
        "corner",
        "corners",
        "corrective",
        "extreme",
        "lid",
        "lids",
        "lip",
    ),
    *("lips", "narrow", "part", "pull", "raise", "suck", "teeth", "tight", "viseme", "wrinkle"),
}
"""Words that make a name another shape's, where they stand beside it."""
_DRESS = {"blend", "bs", "copy", "geo", "key", "mesh", "morph", "shape", "target"}
"""What may stand between or behind ``mouth`` and its side: most words there name another shape."""


@dataclass(frozen=True)
class _Meaning:
    """A shape that a name can mean, without its side where the name has it apart."""

    shape: int
    half: str = ""
    """Which half of the shape; empty for all of it."""


_WHOLE = {name.lower(): _Meaning(index) for name, index in ARKIT_INDEX.items()}
_WHOLE |= {
    f"{name}{side}": _Meaning(_WHOLE[name].shape, side)
    for name in _HALVED
    for side in ("left", "right")
}
_KEYS = sorted(_WHOLE, key=len, reverse=True)
_BASES = sorted(
    {key.removesuffix(side) for side in ("left", "right") for key in _KEYS if key.endswith(side)},
    key=len,
    reverse=True,
)


def arkit_shape(name: str) -> int | None:
    """Which of the 52 a morph target's name means; None where it is none of them."""
    found = _find(name)
    return None if found is None else found[1].shape


def arkit_shapes(names: Sequence[str]) -> tuple[int | None, ...]:
    """Which of the 52 each name of a mesh means: of two for one shape the better spelt, or first.

    Halves of a shape are both its, where nothing is the whole.
    """
    best: dict[_Meaning, tuple[tuple[int, bool], int]] = {}
    for place, name in enumerate(names):
        found = _find(name)
        if found is not None:
            strange, meaning = found
            rank = (strange, name not in ARKIT_INDEX), place
            best[meaning] = min(best.get(meaning, rank), rank)
    shapes: list[int | None] = [None] * len(names)
    for meaning, (_, place) in best.items():
        if not meaning.half or _Meaning(meaning.shape) not in best:
            shapes[place] = meaning.shape
    return tuple(shapes)


def _find(name: str) -> tuple[int, _Meaning] | None:
    """What a name means, and how many letters and digits of it say nothing."""
    if len(name) > _LONGEST:
        return None
    found = _find_among(_WORDS.findall(name))
    if found is None:
        found = _find_behind_scope(name)
    # "mouthLeft_smile" is no spelling of mouthSmileLeft: a part of it is a shape by itself.
    parts = {_in_place(_WORDS.findall(part)) for part in _PARTS.findall(name)} & {*_WHOLE}
    if found is None or any(_WHOLE[part].shape != found[1].shape for part in parts):
        return None
    return found[0] + sum(letter.isdigit() for letter in name), found[1]


def _in_place(words: list[str]) -> str:
    """Words as one, their sides written out."""
    return "".join(_SIDES.get(word.lower(), word.lower()) for word in words)


def _find_behind_scope(name: str) -> tuple[int, _Meaning] | None:
    """Before the last dot may stand what it will (``EyeRight.eyeBlinkLeft``).

    But for a shape, for then the name is a combination of two; or for a side alone.
    """
    scope, _, own = max((name.rpartition(mark) for mark in ".:|"), key=lambda parts: len(parts[0]))
    said = _WORDS.findall(scope)
    if {word.lower() for word in said} <= {*_SIDES} or _find_among(said) is not None:
        return None
    found = _find_among(_WORDS.findall(own))
    return None if found is None else (found[0] + len(scope), found[1])


def _find_among(words: list[str]) -> tuple[int, _Meaning] | None:
    words = [word.lower() for word in words]
    in_place = [_SIDES.get(word, word) for word in words]
    for spelt in (words, in_place):
        for key, before, after in _runs(spelt, _KEYS):
            if not _MEANING & {*after} and not (_MEANING - _REGIONS) & {*before}:
                return len("".join((*before, *after))), _WHOLE[key]
    sides = {_SIDES[word] for word in words if word in _SIDES}
    if len(sides) != 1:
        return None
    (side,) = sides
    for base, before, after in _runs([word for word in words if word not in _SIDES], _BASES):
        short = base in ("mouth", "jaw")
        fits = {*after} <= _DRESS if short else not _MEANING & {*after}
        if fits and not (_MEANING - _REGIONS) & {*before}:
            return len("".join((*before, *after))), _WHOLE[base + side]
    return None


def _runs(words: list[str], keys: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Keys that some of the words are together, longest first; the words before and after it."""
    text = "".join(words)
    ends = accumulate((len(word) for word in words), initial=0)
    starts = {end: index for index, end in enumerate(ends)}
    for key in keys:
        at = text.rfind(key)
        while at >= 0:
            if at in starts and at + len(key) in starts:
                yield key, words[: starts[at]], words[starts[at + len(key)] :]
            at = text.rfind(key, 0, at + len(key) - 1)

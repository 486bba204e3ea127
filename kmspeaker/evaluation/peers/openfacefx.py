"""OpenFaceFX (MIT, pip) with the phones that pocketsphinx hears, without a text.

OpenFaceFX starts from phones with times; its adapter for recognisers, ``from_phone_timestamps``,
names pocketsphinx's ``allphone`` as one to use. Phones become 15 visemes, blended by dominance
functions (Cohen & Massaro 1993), and its own preset ``arkit`` puts these on ARKit's shapes
(``openfacefx.retarget.PRESETS``). All settings are its defaults.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from kmspeaker.errors import InputError
from kmspeaker.evaluation.peers.peer import Peer, frames_of, on_arkit
from kmspeaker.face.rig import ARKIT_INDEX, Weights
from kmspeaker.media.audio import SAMPLE_RATE, Sound

NEEDED = ("openfacefx", "pocketsphinx")
ALLPHONE = {"lw": 2.0, "pip": 0.3, "beam": 1e-20, "pbeam": 1e-20}
"""Weight of the phone bigram and beams that pocketsphinx's manual gives for phone recognition."""
FRAMES_PER_SECOND = 100
LOUDEST = 32_000
"""Of 16 bits, where the sound is 1."""
SILENT = ("SIL", "+")
"""Beginnings of the names of silence and noises."""

Phones = tuple[tuple[float, float, str], ...]
"""Start and end in seconds, ARPABET or ``sil``."""


def installed() -> str:
    """The version that is there.

    Raises:
        InputError: It, or pocketsphinx, is not.
    """
    try:
        found = [version(name) for name in NEEDED]
    except PackageNotFoundError as error:
        raise InputError(
            f"Got no package {error.name}; install it with `pip install -r requirements-peers.txt`."
        ) from error
    return found[0]


def curves(sound: Sound, fps: float) -> Weights:
    """The mouth as OpenFaceFX moves it.

    Raises:
        InputError: It, or pocketsphinx, is not installed.
    """
    installed()
    return weights_of(recognise(sound), frames_of(sound, fps), fps)


def recognise(sound: Sound) -> Phones:
    """The phones of a sound, silences among them; pocketsphinx knows English."""
    from pocketsphinx import Decoder, get_model_path

    model = Path(get_model_path()) / "en-us"
    decoder = Decoder(
        hmm=str(model / "en-us"),
        allphone=str(model / "en-us-phone.lm.bin"),
        lm=None,
        dict=None,
        bestpath=False,
        samprate=SAMPLE_RATE,
        loglevel="FATAL",
        **ALLPHONE,
    )
    samples = sound.resampled(SAMPLE_RATE).samples
    decoder.start_utt()
    decoder.process_raw((samples.clip(-1, 1) * LOUDEST).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    heard = [(each.word, each.start_frame, each.end_frame + 1) for each in decoder.seg() or ()]
    return tuple(
        (
            start / FRAMES_PER_SECOND,
            end / FRAMES_PER_SECOND,
            "sil" if name.startswith(SILENT) else name,
        )
        for name, start, end in heard
    )


def weights_of(phones: Phones, frames: int, fps: float) -> Weights:
    """What OpenFaceFX makes of phones, in its own preset for ARKit; at rest without any."""
    from openfacefx.aligners_acoustic import (  # pyright: ignore[reportMissingImports]
        from_phone_timestamps,
    )
    from openfacefx.pipeline import generate_from_alignment  # pyright: ignore[reportMissingImports]
    from openfacefx.retarget import PRESETS, retarget  # pyright: ignore[reportMissingImports]

    if not phones:
        return on_arkit({"sil": np.zeros(frames)}, {})
    segments = from_phone_timestamps(phones, alphabet="arpabet")
    track = retarget(generate_from_alignment(segments), PRESETS["arkit"])
    times = np.arange(frames) / fps
    return on_arkit(
        {
            channel.name: np.interp(
                times, [key.time for key in channel.keys], [key.value for key in channel.keys]
            )
            for channel in track.channels
            if channel.name in ARKIT_INDEX and channel.keys
        }
        or {"sil": np.zeros(frames)},
        {name: {name: 1.0} for name in ARKIT_INDEX},
    )


PEER = Peer(
    name="openfacefx",
    curves=curves,
    version=installed,
    note="OpenFaceFX: phones heard by pocketsphinx without a text; its own preset for ARKit.",
)

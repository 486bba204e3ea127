"""Speech becomes features: a frozen pretrained encoder, whose features come at its own rate.

Place in the flow: after ``media.audio``, before ``model``. Features of two encoders never mix; a
checkpoint names the one it was trained on. Speech longer than 20 s is encoded in equal overlapping
pieces whose features are faded into each other, so that memory stays bounded.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

from kmspeaker.assets import ASSETS
from kmspeaker.errors import InputError
from kmspeaker.face.interpolation import sample_rows
from kmspeaker.hub import Pinned, fetch_pinned
from kmspeaker.media.audio import SAMPLE_RATE, Sound
from kmspeaker.progress import Progress
from kmspeaker.speech.whisper import load_whisper_encoder, log_mel

ENCODERS = ("whisper-tiny.en", "w2v-bert-2.0", "hubert-base")
"""The first is bundled, the others come from the Hugging Face Hub."""
HUB_SOURCES = {
    "w2v-bert-2.0": Pinned(
        "facebook/w2v-bert-2.0",
        "da985ba0987f70aaeb84a80f2851cfac8c697a7b",
        "eb890c9660ed6e3414b6812e27257b8ce5454365d5490d3ad581ea60b93be043",
    ),
    # Of its main branch there are only pickles; this commit has the same weights as safetensors.
    "hubert-base": Pinned(
        "facebook/hubert-base-ls960", "af46f65f540dc3ca7aa59f46c6c3d5dbb4374fa8", None
    ),
}
"""Whose, and which: features of other weights are other features."""
SPEECH_FOLDER = ASSETS / "speech"
MIN_SECONDS = 0.1
"""Shorter speech gives no feature."""
PIECE = 1000
"""Most features encoded at once, 20 s."""
OVERLAP = 100
"""Features that two pieces share at least, 2 s."""
FADE = 20
"""Features over which one piece gives way to the next, 0.4 s in the middle of what they share."""
TAIL = 1.0
"""Seconds of silence put after the end. Whisper was trained on speech padded to 30 s: without any
silence the last features of a sentence are unlike those it would give there."""

Features = Float32[np.ndarray, "features dim"]


@runtime_checkable
class SpeechEncoder(Protocol):
    """Speech to features; feature ``k`` is centred at ``offset + k / rate`` seconds."""

    name: str
    """One of ``ENCODERS``."""
    dim: int
    """Numbers in a feature."""
    rate: float
    """Features a second."""
    offset: float
    """Seconds from the beginning to the centre of the first feature."""

    def encode(self, sound: Sound, *, progress: Progress | None = None) -> Features:
        """Features of all of a sound, of any sample rate."""
        ...


def load_encoder(name: str, device: str = "cpu") -> SpeechEncoder:
    """The encoder of that name, ready on ``device``.

    Raises:
        InputError: No such encoder, or its weights are neither here nor to be had.
    """
    if name not in ENCODERS:
        raise InputError(f"Got the speech encoder {name!r}; choose one of {', '.join(ENCODERS)}.")
    if name == "w2v-bert-2.0":
        return W2vBert(fetch_pinned(HUB_SOURCES[name]), device)
    if name == "hubert-base":
        return Hubert(fetch_pinned(HUB_SOURCES[name]), device)
    return Whisper(SPEECH_FOLDER / name, device)


def speech_features(
    encoder: SpeechEncoder,
    sound: Sound,
    *,
    fps: float,
    frames: int,
    progress: Progress | None = None,
) -> Float32[np.ndarray, "frames dim"]:
    """Features at each frame of a motion: frame ``k`` lies at ``k / fps`` seconds.

    Linear between features; before the first and after the last, those are held.
    """
    features = encoder.encode(sound, progress=progress)
    position = (np.arange(frames) / fps - encoder.offset) * encoder.rate
    return sample_rows(features, position)


class Whisper:
    """The mean of the first three of Whisper tiny.en's four layers; no padding to 30 s.

    The paper, too, takes the mean of its encoder's layers. Which of Whisper's is ours: the last one
    tells phones as well as the others but is bound to the voice, so that lips learnt from one
    person's speech fit other people's less.
    """

    name, rate, offset = "whisper-tiny.en", 50.0, 0.0

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        if not (folder / "model.safetensors").is_file():
            raise InputError(
                f"The speech encoder is missing in {folder}; restore the assets folder."
            )
        self.device = device
        self.network = load_whisper_encoder(folder).to(device)
        self.dim = self.network.config.d_model

    @torch.inference_mode()
    def encode(self, sound: Sound, *, progress: Progress | None = None) -> Features:
        """Feature ``k`` is centred on the 25 ms around ``k * 20`` ms."""
        samples = _samples(sound, self.device)
        padded = F.pad(samples, (0, round(TAIL * SAMPLE_RATE)))
        features = _in_pieces(log_mel(padded).T, self._encode_piece, step=2, progress=progress)
        return features[: math.ceil(len(samples) / SAMPLE_RATE * self.rate)]

    def _encode_piece(self, mel: Float[Tensor, "mel_frames mels"]) -> Float[Tensor, "features dim"]:
        return torch.stack(self.network(mel.T[None])[:-1]).mean(0)[0]


class W2vBert:
    """The mean of all hidden states of w2v-BERT 2.0 (Table 4), the paper's own encoder."""

    name, rate = "w2v-bert-2.0", 50.0
    offset = 0.0175
    """A feature is two spectra of 25 ms that begin at ``k * 20`` and ``k * 20 + 10`` ms."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertModel

        self.device = device
        self.extractor = SeamlessM4TFeatureExtractor()
        self.network = _pretrained(Wav2Vec2BertModel, folder).to(device)
        self.dim = self.network.config.hidden_size

    @torch.inference_mode()
    def encode(self, sound: Sound, *, progress: Progress | None = None) -> Features:
        """Spectra are standardised over the whole utterance, then encoded in pieces."""
        samples = _samples(sound, "cpu").numpy()
        inputs = self.extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        spectra = inputs["input_features"][0, : int(inputs["attention_mask"].sum())]
        return _in_pieces(spectra.to(self.device), self._encode_piece, step=1, progress=progress)

    def _encode_piece(
        self, spectra: Float[Tensor, "features mels"]
    ) -> Float[Tensor, "features dim"]:
        states = self.network(spectra[None], output_hidden_states=True).hidden_states
        return torch.stack(states).mean(0)[0]


class Hubert:
    """The last layer of HuBERT base."""

    name, rate = "hubert-base", 50.0
    offset = 0.0125
    """A feature is made from the 400 samples that begin at ``k * 320``."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        from transformers import HubertModel

        self.device = device
        self.network = _pretrained(HubertModel, folder).to(device)
        self.dim = self.network.config.hidden_size

    @torch.inference_mode()
    def encode(self, sound: Sound, *, progress: Progress | None = None) -> Features:
        """Samples are standardised over the whole utterance, then encoded in pieces."""
        samples = _samples(sound, self.device)
        samples = (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()
        return _in_pieces(samples, self._encode_piece, step=320, reach=400, progress=progress)

    def _encode_piece(self, samples: Float[Tensor, " samples"]) -> Float[Tensor, "features dim"]:
        return self.network(samples[None]).last_hidden_state[0]


def _samples(sound: Sound, device: str) -> Float[Tensor, " samples"]:
    """What an encoder reads: 16 kHz, long enough for one feature."""
    if sound.seconds < MIN_SECONDS:
        raise InputError(
            f"Got {sound.seconds:.2f} s of speech, at least {MIN_SECONDS:g} s is needed; "
            "give a longer recording."
        )
    return torch.from_numpy(sound.resampled(SAMPLE_RATE).samples).to(device)


def _pretrained(network: type, folder: Path) -> Any:
    """A ``transformers`` network of a folder in evaluation mode; no pickles."""
    try:
        loaded = network.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"Got no speech encoder in {folder}; delete the folder and fetch it again."
        ) from error
    return loaded.requires_grad_(False)


def _in_pieces(
    inputs: Float[Tensor, "steps ..."],
    encode: Callable[[Tensor], Tensor],
    *,
    step: int,
    reach: int = 1,
    progress: Progress | None = None,
) -> Features:
    """Features of a whole utterance from a network that gives ``PIECE`` of them at most.

    Args:
        inputs: What the network reads, all of it.
        encode: The network.
        step: Inputs from one feature to the next.
        reach: Inputs without which there is no further feature.
        progress: Told after each piece.
    """
    count = (len(inputs) - reach) // step + 1
    features, end = np.zeros((count, 0), np.float32), 0
    pieces = _pieces(count)
    for done, (start, stop) in enumerate(pieces, 1):
        piece = inputs[start * step : stop * step + max(0, reach - step)]
        encoded = encode(piece).float().cpu().numpy()
        if done == 1:
            features = np.zeros((count, encoded.shape[1]), np.float32)
        shared = end - start if done > 1 else 0
        place = (np.arange(shared, dtype=np.float32) - shared / 2) / FADE
        fade = np.clip(place + 0.5, 0, 1)[:, None]
        features[start:end] = features[start:end] * (1 - fade) + encoded[:shared] * fade
        features[start + shared : stop] = encoded[shared:]
        end = stop
        if progress:
            progress(done / len(pieces))
    return features


def _pieces(count: int) -> list[tuple[int, int]]:
    """Equal pieces of at most ``PIECE`` features that share at least ``OVERLAP``."""
    pieces = max(1, math.ceil((count - OVERLAP) / (PIECE - OVERLAP)))
    size = math.ceil((count + (pieces - 1) * OVERLAP) / pieces)
    starts = np.linspace(0, count - size, pieces).astype(int)
    return [(int(start), int(start) + size) for start in starts]

"""Speech becomes features: a frozen pretrained encoder listens, features come out at its own rate.

Place in the flow: after ``audio``, before ``model``. Features of two encoders never mix; a
checkpoint names the one it was trained on. Speech longer than 20 s is heard in equal overlapping
pieces whose features are faded into each other, so that memory stays bounded.
"""

import math
from collections.abc import Callable
from functools import partial
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
from kmspeaker.hub import without_telemetry
from kmspeaker.media.audio import SAMPLE_RATE, Sound
from kmspeaker.progress import Progress
from kmspeaker.speech.whisper import load_whisper_encoder, log_mel

ENCODERS = ("whisper-tiny.en", "w2v-bert-2.0", "hubert-base")
"""The first is bundled, the others come from the Hugging Face Hub."""
HUB_REPOSITORIES = {
    "w2v-bert-2.0": "facebook/w2v-bert-2.0",
    "hubert-base": "facebook/hubert-base-ls960",
}
SPEECH_FOLDER = ASSETS / "speech"
MIN_SECONDS = 0.1
"""Nothing can be heard in less."""
PIECE = 1000
"""Most features heard at once, 20 s."""
OVERLAP = 100
"""Features that two pieces share at least, 2 s."""
FADE = 20
"""Features over which one piece gives way to the next, 0.4 s in the middle of what they share."""
TAIL = 1.0
"""Seconds of silence heard after the end. Without it the last 0.2 s come out strange: against the
encoder as it was trained, padded to 30 s, their mean cosine is .82 and not .93."""

Features = Float32[np.ndarray, "features dim"]


@runtime_checkable
class SpeechEncoder(Protocol):
    """Anything that hears speech; feature ``k`` is centred at ``offset + k / rate`` seconds."""

    name: str
    """One of ``ENCODERS``."""
    dim: int
    """Numbers in a feature."""
    rate: float
    """Features a second."""
    offset: float
    """Seconds from the beginning to the centre of the first feature."""

    def encode(self, sound: Sound, *, progress: Progress | None = None) -> Features:
        """Hear all of a sound at any sample rate."""
        ...


def load_encoder(name: str, device: str = "cpu") -> SpeechEncoder:
    """The encoder of that name, ready on ``device``.

    Raises:
        InputError: No such encoder, or its weights are neither here nor to be had.
    """
    if name not in ENCODERS:
        raise InputError(f"Got the speech encoder {name!r}; choose one of {', '.join(ENCODERS)}.")
    if name == "w2v-bert-2.0":
        return W2vBert(HUB_REPOSITORIES[name], device)
    if name == "hubert-base":
        return Hubert(HUB_REPOSITORIES[name], device)
    return Whisper(SPEECH_FOLDER / name, device)


def speech_features(
    encoder: SpeechEncoder,
    sound: Sound,
    *,
    fps: float,
    frames: int,
    progress: Progress | None = None,
) -> Float32[np.ndarray, "frames dim"]:
    """What is heard at each frame of a motion: frame ``k`` lies at ``k / fps`` seconds.

    Linear between features; before the first and after the last, those are held.
    """
    features = encoder.encode(sound, progress=progress)
    position = (np.arange(frames) / fps - encoder.offset) * encoder.rate
    return sample_rows(features, position)


class Whisper:
    """The mean of the first three of Whisper tiny.en's four layers; no padding to 30 s.

    The paper, too, takes the mean of its encoder's layers. The last layer alone tells phones as
    well (12 groups: .737 of them against .733) but is bound to the voice: a ridge regression to the
    opening of one man's lips reaches a mean correlation of .73 with the lips of other people from
    it, and .81 from the mean of the first three.
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
        heard = F.pad(samples, (0, round(TAIL * SAMPLE_RATE)))
        features = _in_pieces(log_mel(heard).T, self._hear, step=2, progress=progress)
        return features[: math.ceil(len(samples) / SAMPLE_RATE * self.rate)]

    def _hear(self, mel: Float[Tensor, "mel_frames mels"]) -> Float[Tensor, "features dim"]:
        return torch.stack(self.network.hidden(mel.T[None])[:-1]).mean(0)[0]


class W2vBert:
    """The mean of all hidden states of w2v-BERT 2.0 (Table 4), the paper's own encoder."""

    name, rate = "w2v-bert-2.0", 50.0
    offset = 0.0175
    """A feature is two spectra of 25 ms that begin at ``k * 20`` and ``k * 20 + 10`` ms."""

    def __init__(self, source: Path | str, device: str = "cpu") -> None:
        from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertModel

        self.device = device
        self.extractor = SeamlessM4TFeatureExtractor()
        self.network = _pretrained(Wav2Vec2BertModel, source).to(device)
        self.dim = self.network.config.hidden_size

    @torch.inference_mode()
    def encode(self, sound: Sound, *, progress: Progress | None = None) -> Features:
        """Spectra are standardised over the whole utterance, then heard in pieces."""
        samples = _samples(sound, "cpu").numpy()
        heard = self.extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        spectra = heard["input_features"][0, : int(heard["attention_mask"].sum())]
        return _in_pieces(spectra.to(self.device), self._hear, step=1, progress=progress)

    def _hear(self, spectra: Float[Tensor, "features mels"]) -> Float[Tensor, "features dim"]:
        states = self.network(spectra[None], output_hidden_states=True).hidden_states
        return torch.stack(states).mean(0)[0]


class Hubert:
    """The last layer of HuBERT base."""

    name, rate = "hubert-base", 50.0
    offset = 0.0125
    """A feature is made from the 400 samples that begin at ``k * 320``."""

    def __init__(self, source: Path | str, device: str = "cpu") -> None:
        from transformers import HubertModel

        self.device = device
        self.network = _pretrained(HubertModel, source).to(device)
        self.dim = self.network.config.hidden_size

    @torch.inference_mode()
    def encode(self, sound: Sound, *, progress: Progress | None = None) -> Features:
        """Samples are standardised over the whole utterance, then heard in pieces."""
        samples = _samples(sound, self.device)
        samples = (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()
        return _in_pieces(samples, self._hear, step=320, reach=400, progress=progress)

    def _hear(self, samples: Float[Tensor, " samples"]) -> Float[Tensor, "features dim"]:
        return self.network(samples[None]).last_hidden_state[0]


def _samples(sound: Sound, device: str) -> Float[Tensor, " samples"]:
    """What an encoder hears: 16 kHz, long enough for one feature."""
    if sound.seconds < MIN_SECONDS:
        raise InputError(
            f"Got {sound.seconds:.2f} s of speech, at least {MIN_SECONDS:g} s is needed; "
            "give a longer recording."
        )
    return torch.from_numpy(sound.resampled(SAMPLE_RATE).samples).to(device)


def _pretrained(network: type, source: Path | str) -> Any:
    """A ``transformers`` network in evaluation mode, from the cache or the Hub; no pickles."""
    import httpx2
    from huggingface_hub import model_info

    without_telemetry()
    load = partial(network.from_pretrained, source, use_safetensors=True)
    try:
        return load(local_files_only=True).requires_grad_(False)
    except OSError:
        pass
    try:
        model_info(str(source), timeout=10)  # fails at once, where loading tries for half a minute
        return load().requires_grad_(False)
    except (OSError, ValueError, httpx2.HTTPError) as error:
        raise InputError(
            f"The speech encoder {source} is not in the cache and cannot be downloaded; "
            "connect to the internet once, or use a model with the bundled encoder."
        ) from error


def _in_pieces(
    inputs: Float[Tensor, "steps ..."],
    hear: Callable[[Tensor], Tensor],
    *,
    step: int,
    reach: int = 1,
    progress: Progress | None = None,
) -> Features:
    """Features of a whole utterance from a network that hears ``PIECE`` of them at most.

    Args:
        inputs: What the network reads, all of it.
        hear: The network.
        step: Inputs from one feature to the next.
        reach: Inputs without which there is no further feature.
        progress: Told after each piece.
    """
    count = (len(inputs) - reach) // step + 1
    features, end = np.zeros((count, 0), np.float32), 0
    pieces = _pieces(count)
    for done, (start, stop) in enumerate(pieces, 1):
        piece = inputs[start * step : stop * step + max(0, reach - step)]
        heard = hear(piece).float().cpu().numpy()
        if done == 1:
            features = np.zeros((count, heard.shape[1]), np.float32)
        shared = end - start if done > 1 else 0
        place = (np.arange(shared, dtype=np.float32) - shared / 2) / FADE
        fade = np.clip(place + 0.5, 0, 1)[:, None]
        features[start:end] = features[start:end] * (1 - fade) + heard[:shared] * fade
        features[start + shared : stop] = heard[shared:]
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

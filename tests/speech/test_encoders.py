"""Features lie where the sound lies, however long the speech and whichever the encoder."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.hub import Pinned
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.speech import encoders
from kmspeaker.speech.encoders import (
    ENCODERS,
    SPEECH_FOLDER,
    Hubert,
    SpeechEncoder,
    W2vBert,
    load_encoder,
    speech_features,
)
from kmspeaker.speech.whisper import log_mel

RATE = 16_000


@pytest.fixture(scope="module")
def whisper() -> SpeechEncoder:
    return load_encoder("whisper-tiny.en")


@pytest.fixture(scope="module")
def spoken() -> Sound:
    """Three seconds of a woman's voice."""
    sound = load_sound(load_examples()["delighted"].speech, sample_rate=RATE)
    return Sound(sound.samples[RATE // 4 :][: 3 * RATE], RATE)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SpeechEncoder]:
    """The encoders of the Hub with random weights of the same classes, a few numbers wide."""
    from transformers import HubertConfig, HubertModel, Wav2Vec2BertConfig, Wav2Vec2BertModel

    folder = tmp_path_factory.mktemp("encoders")
    torch.manual_seed(0)
    w2v_bert = Wav2Vec2BertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_depthwise_kernel_size=1,  # wider ones hear only the past: random ones would lag
    )
    Wav2Vec2BertModel(w2v_bert).save_pretrained(folder / "w2v-bert-2.0")
    hubert = HubertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    HubertModel(hubert).save_pretrained(folder / "hubert-base")
    kinds = {"w2v-bert-2.0": W2vBert, "hubert-base": Hubert}
    return lambda name: kinds[name](folder / name)


def noise(seconds: float, seed: int = 0) -> Sound:
    samples = 0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return Sound(samples.astype(np.float32), RATE)


# The bundled encoder against its origin.


def test_the_spectrogram_is_whispers_own(spoken: Sound):
    from transformers import WhisperFeatureExtractor

    theirs = WhisperFeatureExtractor()(spoken.samples, sampling_rate=RATE, return_tensors="pt")
    padded = F.pad(torch.from_numpy(spoken.samples), (0, 30 * RATE - len(spoken)))
    assert torch.allclose(log_mel(padded), theirs["input_features"][0], atol=1e-4)


def test_the_network_is_whispers_own(whisper: encoders.Whisper, spoken: Sound):
    from safetensors.torch import load_file
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    folder = SPEECH_FOLDER / "whisper-tiny.en"
    theirs = WhisperEncoder(WhisperConfig.from_pretrained(folder)).eval()
    theirs.load_state_dict(load_file(folder / "model.safetensors"))
    mel = log_mel(F.pad(torch.from_numpy(spoken.samples), (0, 30 * RATE - len(spoken))))[None]
    with torch.inference_mode():
        expected = theirs(mel).last_hidden_state
        got = theirs.layer_norm(whisper.network(mel)[-1])  # theirs ends with the decoder's norm
        assert torch.allclose(got, expected, atol=2e-3)


def test_short_speech_is_heard_as_if_padded_to_thirty_seconds(
    whisper: encoders.Whisper, spoken: Sound
):
    padded = F.pad(torch.from_numpy(spoken.samples), (0, 30 * RATE - len(spoken)))
    with torch.inference_mode():
        layers = whisper.network(log_mel(padded)[None])[:-1]
        expected = torch.stack(layers).mean(0)[0]
    got = torch.from_numpy(whisper.encode(spoken))
    cosine = F.cosine_similarity(got, expected[: len(got)])
    assert cosine.mean() > 0.97
    assert cosine[-10:].mean() > 0.85


# Laws of every encoder.


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_hears_silence_and_noise_at_its_own_rate(
    name: str, whisper: SpeechEncoder, tiny: Callable[[str], SpeechEncoder]
):
    encoder = whisper if name == whisper.name else tiny(name)
    assert encoder.name == name
    for sound in (noise(2.03), Sound(np.zeros(RATE, np.float32), RATE), noise(0.1)):
        features = encoder.encode(sound)
        assert features.dtype == np.float32 and np.isfinite(features).all()
        assert features.shape[1] == encoder.dim
        assert abs(len(features) - sound.seconds * encoder.rate) <= 2


@pytest.mark.parametrize("name", ENCODERS)
def test_a_click_is_heard_where_it_is(
    name: str, whisper: SpeechEncoder, tiny: Callable[[str], SpeechEncoder], spoken: Sound
):
    """The frame that changes most is the click's own, to within a frame and without lean."""
    encoder = whisper if name == whisper.name else tiny(name)
    background = spoken if name == whisper.name else noise(3)
    fps, frames = 100.0, round(background.seconds * 100)
    before = speech_features(encoder, background, fps=fps, frames=frames)
    lags = []
    for at in np.linspace(0.5, background.seconds - 0.5, 15):
        samples = background.samples.copy()
        samples[round(at * RATE) + np.arange(-2, 2)] += np.array([0.1, -0.1, 0.1, -0.1], np.float32)
        after = speech_features(encoder, Sound(samples, RATE), fps=fps, frames=frames)
        change = np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)
        near = np.abs(np.arange(frames) / fps - at) < 0.15
        energy = np.where(near, change, 0) ** 2
        lags.append(np.sum(energy * np.arange(frames) / fps) / energy.sum() - at)
    assert np.abs(np.median(lags)) < 0.006
    assert np.percentile(np.abs(lags), 80) < 1 / 50


@pytest.mark.parametrize("name", ENCODERS)
def test_speech_at_another_sample_rate_is_heard_the_same(
    name: str, whisper: SpeechEncoder, tiny: Callable[[str], SpeechEncoder], spoken: Sound
):
    encoder = whisper if name == whisper.name else tiny(name)
    low, high = encoder.encode(spoken), encoder.encode(spoken.resampled(48_000))
    cosine = np.sum(low * high, 1) / np.linalg.norm(low, axis=1) / np.linalg.norm(high, axis=1)
    assert low.shape == high.shape and np.median(cosine) > 0.99


def test_the_paper_s_encoder_gives_the_mean_of_all_its_layers(
    tiny: Callable[[str], SpeechEncoder],
):
    encoder = tiny("w2v-bert-2.0")
    assert isinstance(encoder, W2vBert)
    sound = noise(1)
    heard = encoder.extractor(sound.samples, sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        states = encoder.network(**heard, output_hidden_states=True).hidden_states
    assert len(states) == 3  # what goes in, and two layers
    expected = torch.stack(states).mean(0)[0].numpy()
    assert np.allclose(encoder.encode(sound), expected[: len(encoder.encode(sound))], atol=1e-5)


# Features at the frames of a motion.


class Clock:
    """Hears nothing but the time: feature ``k`` is its own centre in seconds."""

    name, dim, rate, offset = "clock", 1, 50.0, 0.0175

    def encode(self, sound: Sound, *, progress: object = None) -> np.ndarray:
        times = self.offset + np.arange(round(sound.seconds * self.rate)) / self.rate
        return times.astype(np.float32)[:, None]


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 60.0])
def test_frames_get_what_is_heard_at_their_own_time(fps: float):
    frames = round(2 * fps)
    heard = speech_features(Clock(), noise(2), fps=fps, frames=frames)[:, 0]
    times = np.arange(frames) / fps
    assert heard.shape == (frames,)
    assert np.allclose(heard, np.clip(times, Clock.offset, Clock.offset + 99 / 50), atol=1e-5)


def test_frames_beyond_the_sound_hold_what_was_heard_last(whisper: SpeechEncoder):
    features = speech_features(whisper, noise(1), fps=30.0, frames=60)
    assert features.shape == (60, whisper.dim)
    assert np.array_equal(features[-1], features[40])


# Long speech.


@pytest.mark.parametrize("count", [1, 5, 999, 1000, 1001, 1500, 1901, 2750, 30_000])
def test_pieces_are_bounded_and_cover_everything(count: int):
    pieces = encoders._pieces(count)
    assert pieces[0][0] == 0 and pieces[-1][1] == count
    assert max(stop - start for start, stop in pieces) <= encoders.PIECE
    for (_, stop), (start, _) in pairwise(pieces):
        assert stop - start >= encoders.OVERLAP - 1


@pytest.mark.parametrize("count", [7, 1000, 1001, 2345])
def test_what_hears_each_feature_alone_gives_the_same_in_pieces(count: int):
    inputs = torch.randn(count * 2, 3)
    told: list[float] = []
    got = encoders._in_pieces(inputs, lambda piece: piece[::2], step=2, progress=told.append)
    assert np.allclose(got, inputs[::2].numpy(), atol=1e-6)
    assert told[-1] == 1.0 and told == sorted(told)


def test_long_speech_is_heard_like_its_own_beginning(whisper: SpeechEncoder, spoken: Sound):
    """The first piece of half a minute hears almost what it would hear alone."""
    long = Sound(np.tile(spoken.samples, 10), RATE)
    features = whisper.encode(long)
    assert features.shape == (1500, whisper.dim) and np.isfinite(features).all()
    alone = whisper.encode(Sound(long.samples[: 15 * RATE], RATE))[:600]
    cosine = np.sum(features[:600] * alone, 1)
    cosine /= np.linalg.norm(features[:600], axis=1) * np.linalg.norm(alone, axis=1)
    assert cosine.mean() > 0.98


# What cannot be used.


def test_an_unknown_encoder_is_named_with_the_known_ones():
    with pytest.raises(InputError, match="'wav2vec'; choose one of whisper-tiny"):
        load_encoder("wav2vec")


def test_less_than_a_tenth_of_a_second_is_refused(whisper: SpeechEncoder):
    with pytest.raises(InputError, match=r"at least 0\.1 s"):
        whisper.encode(noise(0.05))


@pytest.mark.parametrize("name", ["w2v-bert-2.0", "hubert-base"])
def test_an_encoder_that_cannot_be_had_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(encoders.HUB_SOURCES, name, Pinned("nobody/has-this", 40 * "0", None))
    with pytest.raises(InputError, match="not in the cache and cannot be downloaded"):
        load_encoder(name)


def test_only_safetensors_are_read(tmp_path: Path):
    from transformers import HubertConfig

    HubertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="no speech encoder in"):
        Hubert(tmp_path)

"""Draw one sentence in the eight states: a row for each actor, a column for each state.

python -m scripts.draw_states --data ../data -o docs/states.png --model small
    the model says the speech in the style of eight performances that each actor plays for it
python -m scripts.draw_states --data ../data -o docs/acted.png
    those performances themselves, as the corpus has them
python -m scripts.draw_states ... --video docs/states.mp4
    also the first actor's eight side by side, with the sound
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.corpus.lips.coarticulation import vocal_effort
from kmspeaker.corpus.performances.recordings import UpperFaces
from kmspeaker.corpus.performances.states import (
    STATES,
    Actor,
    Role,
    draw_actors,
    synthesize_performance,
)
from kmspeaker.corpus.speech.voices import Utterance, load_voice, read_utterances
from kmspeaker.errors import InputError
from kmspeaker.export import save_comparison
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.contacts import Contacts
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel, Weights
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

SPEECH = Path(__file__).parent.parent / "assets/examples/delighted.wav"
FPS = 30.0
BLINK_FREE = 0.35
"""An instant with the eyes more closed than this makes no portrait."""
NEAR = 0.2
"""Seconds by which a portrait may leave the instant it is to show, to find open eyes."""
LINE_SECONDS = (6.0, 9.0)
"""An utterance of this length is performed, unless one is named."""
WIDTH, HEIGHT = 1280, 720
"""Of the video."""
FACE = (0.16, 0.13, 0.80, 0.81)
"""Left, top, right and bottom of the face in the renderer's square."""
TALKING = 0.9
"""Quantile of the mouth's opening at which a portrait is taken."""

Performances = Mapping[str, Weights]
Takes = Mapping[str, FaceAnimation]
"""Of each state."""
Picture = UInt8[np.ndarray, "height width 3"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with speech/ and capture/")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".png")
    parser.add_argument("--model", help="name or folder; without it the performances are drawn")
    parser.add_argument("--speech", type=Path, default=SPEECH, help="what the model says")
    parser.add_argument("--actors", nargs="+", default=["mei", "kenji", "samuel"])
    parser.add_argument("--utterance", help="name of the clip that the actors perform")
    parser.add_argument("--video", type=Path, help=".mp4 of the first actor")
    parser.add_argument(
        "--size", type=int, default=360, help="pixels of the square of which the face is cut out"
    )
    parser.add_argument("--yaw", type=float, default=12.0)
    parser.add_argument("--at", type=float, help="seconds; else where the mouth is wide")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    face = FaceModel.load()
    line = choose(read_utterances(options.data / "speech"), options.utterance)
    voice = load_voice(line)
    sound = Sound(voice, SAMPLE_RATE)
    stage = Stage(face, UpperFaces.read(options.data / "capture/livelink", FPS), line, voice)
    actors = {actor.identity: actor for actor in draw_actors(face.identities, 0)}
    unknown = [name for name in options.actors if name not in actors]
    if unknown:
        raise InputError(f"Got actor {unknown[0]!r}; known are {', '.join(actors)}.")
    performances = {name: stage.perform(actors[name], options.seed) for name in options.actors}
    if options.model:
        pipeline, speech = Pipeline.load(options.model), load_sound(options.speech)
        takes_of = {
            name: generate(pipeline, speech, styles, name) for name, styles in performances.items()
        }
    else:
        takes_of = {name: act(sound, styles, name) for name, styles in performances.items()}
    rows = []
    for name, takes in takes_of.items():
        with HeadRenderer(face, name, options.size, options.size, yaw=options.yaw) as renderer:
            rows.append(np.concatenate(list(portraits(face, renderer, takes, options.at)), axis=1))
    rows.insert(0, header([*STATES], rows[0].shape[1]))
    Image.fromarray(np.concatenate(rows)).save(options.output, optimize=True)
    print(f"{options.output}: {', '.join(takes_of)}")
    if options.video:
        takes = takes_of[options.actors[0]]
        save_comparison(
            [*takes.values()], [*takes], face, options.video, width=WIDTH, height=HEIGHT
        )
        print(f"{options.video}: {options.actors[0]}, {', '.join(takes)}")


class Stage:
    """Where actors perform one utterance."""

    def __init__(
        self,
        face: FaceModel,
        upper_faces: UpperFaces,
        line: Utterance,
        voice: Float32[np.ndarray, " samples"],
    ) -> None:
        self._contacts, self._upper_faces, self._line = Contacts.of(face), upper_faces, line
        self._effort = vocal_effort(voice, SAMPLE_RATE, line.phones)

    def perform(self, actor: Actor, seed: int) -> Performances:
        """The actor in every state, at full strength; chance is the same for each."""
        performances = {}
        for state in STATES:
            role = Role(actor, state, "none" if state == "neutral" else "heightened")
            performances[state] = synthesize_performance(
                np.random.default_rng(seed),
                role,
                self._line.phones,
                self._effort,
                self._line.seconds,
                contacts=self._contacts,
                upper_faces=self._upper_faces,
                fps=FPS,
            )
        return performances


def choose(utterances: Sequence[Utterance], name: str | None) -> Utterance:
    """The utterance of that name, or the first of a good length.

    Raises:
        InputError: There is none.
    """
    shortest, longest = LINE_SECONDS
    for utterance in utterances:
        fits = shortest < utterance.seconds < longest if name is None else utterance.name == name
        if fits:
            return utterance
    raise InputError(f"Got no utterance {name or 'of a good length'}; name one of a clips.tsv.")


def generate(pipeline: Pipeline, sound: Sound, styles: Performances, identity: str) -> Takes:
    """The model's takes of one speech, each in the style of a performance."""
    return {
        state: pipeline.stylize(sound, Performance.from_weights(style, FPS), identity=identity)
        for state, style in styles.items()
    }


def act(sound: Sound, styles: Performances, identity: str) -> Takes:
    """The performances themselves."""
    return {
        state: FaceAnimation(style, FPS, identity, "stylize", sound, "none: acted", 0, 0)
        for state, style in styles.items()
    }


def portraits(
    face: FaceModel, renderer: HeadRenderer, takes: Takes, at: float | None
) -> Iterator[Picture]:
    """A picture of every state at one instant of the speech, as near to it as eyes are open."""
    gap = face.lip_gap(takes["neutral"].weights, face.identities[0])
    instant = (
        int(np.abs(gap - np.quantile(gap, TALKING)).argmin()) if at is None else round(at * FPS)
    )
    for take in takes.values():
        weights = take.weights
        lids = weights[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]].max(axis=1)
        frames = np.arange(len(weights))
        away = np.abs(frames - instant)
        near = away <= NEAR * FPS
        frame = np.where(near & (lids < BLINK_FREE), away, len(weights) + lids).argmin()
        yield cut_out(renderer.frame(weights[frame]))


def cut_out(picture: Picture) -> Picture:
    """The face alone."""
    size = len(picture)
    left, top, right, bottom = (round(share * size) for share in FACE)
    return picture[top:bottom, left:right]


def header(names: Sequence[str], width: int) -> Picture:
    """The names of so many columns."""
    column = width / len(names)
    image = Image.new("RGB", (width, round(column / 7)), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(column / 12)
    for k, name in enumerate(names):
        place = ((k + 0.5) * column, image.height / 2)
        draw.text(place, name, fill=(40, 44, 52), font=font, anchor="mm")
    return np.asarray(image)


if __name__ == "__main__":
    main()

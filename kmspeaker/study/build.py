"""A study's stimuli: every condition says every item, on one head, in one light, by one camera.

Place in the flow: ``design`` -> here -> ``study_folder``. Systems of the app go through the same
pipeline as everything else; a performance is played as it is with its head held still, as the
systems' are; a video of the user's is cut and scaled to the same picture. All sounds of an item are
the same samples, or none where the study is muted.
"""

import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch._dynamo  # noqa: F401  before VTK: each brings an LLVM, and only so both work
from jaxtyping import UInt8
from PIL import Image

from kmspeaker import __version__
from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.capture import captured
from kmspeaker.animation.controls import Controls
from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.export.provenance import provenance
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.keypoints import keypoint_track
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.media.video_reader import Frame, frames_at, probe_video, read_frames
from kmspeaker.media.video_writer import write_video
from kmspeaker.parallel import Workers
from kmspeaker.pipeline import Pipeline
from kmspeaker.progress import StageProgress
from kmspeaker.reference.load import load_reference
from kmspeaker.reference.performance import Performance
from kmspeaker.study.anchors import Moments, another_item, farthest_style, style_moments
from kmspeaker.study.design import Design
from kmspeaker.study.design_file import read_design
from kmspeaker.study.giveaways import Traits, check_alike, check_name, pad_alike, traits_of
from kmspeaker.study.stimuli import Condition, Generate, Item
from kmspeaker.study.study_folder import (
    DESIGN,
    MANIFEST,
    STIMULI,
    Manifest,
    Stimulus,
    Study,
    load_study,
    write_manifest,
)

EXAMPLE = "example:"
FPS = 30.0
SIZE = 512
"""Pixels of the square picture."""
SLACK = 0.05
"""Seconds by which a video may be shorter than the item's part."""
COMMENT = "A stimulus of a rating study: a synthetic head, not a recording of a face."
"""Every file says the same of itself."""


def build_study(
    config: Path,
    folder: Path,
    *,
    device: str = "auto",
    size: int = SIZE,
    jobs: int = 1,
    progress: StageProgress | None = None,
) -> Study:
    """Render every stimulus of a study, check them, and freeze them with a manifest.

    Args:
        config: The study's file.
        folder: Where to; it appears whole or not at all.
        device: As ``Pipeline.load``.
        size: Pixels of the square picture.
        jobs: Processes, each of which renders whole items.
        progress: Told the stage and the fraction done.

    Raises:
        InputError: The folder is there already, a file is missing or cannot be read, an item's part
            is longer than its sound or reference, or a stimulus would give its condition away.
    """
    design = read_design(config)
    if folder.exists():
        raise InputError(f"Got {folder}, which is there already; name a new folder.")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"There is no folder {folder.parent} for {folder.name}; make it first.")
    if not 64 <= size <= 1080:
        raise InputError(f"Got a picture of {size} pixels; give 64 to 1080.")
    workshop = Workshop(design, config.parent, device)
    workshop.check_files()
    workshop.check_parts()
    report = progress or (lambda stage, fraction: None)
    unfinished = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        (unfinished / STIMULI).mkdir(parents=True)
        shutil.copyfile(config, unfinished / DESIGN)
        stimuli: list[Stimulus] = []
        everything = (*design.items, *design.training)
        opened = partial(_open_builder, config, unfinished / STIMULI, device, size)
        report("render", 0.0)
        for number, made in enumerate(Workers(jobs).map(opened, everything), start=1):
            stimuli += made
            report("render", number / len(everything))
        order = np.random.default_rng(design.seed).permutation(len(stimuli))
        frozen = Manifest(__version__, design.digest(), tuple(stimuli[k] for k in order))
        write_manifest(frozen, unfinished / MANIFEST)
        load_study(unfinished)
        unfinished.rename(folder)
    except OSError as error:
        raise InputError(
            f"Cannot write {folder} ({error.strerror or error}); choose another folder or make "
            "room."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return load_study(folder, check_files=False)


@dataclass
class Workshop:
    """What is read and loaded for a build, each once."""

    design: Design
    base: Path
    """Folder of the study's file."""
    device: str
    face: FaceModel = field(default_factory=FaceModel.load)
    _pipelines: dict[str, Pipeline] = field(default_factory=dict)
    _performances: dict[str, Performance] = field(default_factory=dict)
    _sounds: dict[str, Sound] = field(default_factory=dict)

    def check_files(self) -> None:
        """Refuse what is missing, before anything is rendered.

        Raises:
            InputError: A speech, a reference or a video is not there, or a head is not known.
        """
        for item in (*self.design.items, *self.design.training):
            self.face.neutral(self.head(item))
            paths = [self.speech_path(item), self.reference_path(item)]
            paths += [self.video_path(c, item) for c in self.design.conditions if c.video]
            for path in paths:
                if not path.is_file():
                    raise InputError(f"Got no file {path} for the item {item.name}; give it.")

    def check_parts(self) -> None:
        """Refuse parts that are longer than what they are of, likewise.

        Raises:
            InputError: A speech, a performance or a video has another length than it needs.
        """
        played = any(c.capture for c in self.design.conditions)
        for item in (*self.design.items, *self.design.training):
            frames = self.frames(item)
            if played:
                self.part(item, self.performance(item), frames)
            for condition in self.design.conditions:
                if condition.video is not None:
                    _check_seconds(self.video_path(condition, item), item, frames)

    def head(self, item: Item) -> str:
        """Whose head an item is drawn on."""
        return self.face.identities[0] if item.head is None else item.head

    def speech_path(self, item: Item) -> Path:
        """Its speech's file."""
        return self._path(item.speech, reference=False)

    def reference_path(self, item: Item) -> Path:
        """Its reference's file; of a bundled example the saved track, which needs no tracking."""
        return self._path(item.reference, reference=True)

    def video_path(self, condition: Condition, item: Item) -> Path:
        """The video of a condition that has one of each item."""
        assert condition.video is not None
        return self.base / condition.video.replace("{item}", item.name)

    def _path(self, name: str, *, reference: bool) -> Path:
        if not name.startswith(EXAMPLE):
            return self.base / name
        examples = load_examples()
        example = examples.get(name.removeprefix(EXAMPLE))
        if example is None:
            raise InputError(f"Got {name!r}; bundled examples are {', '.join(examples)}.")
        return example.reference.with_suffix(".track.npz") if reference else example.speech

    def sound(self, item: Item) -> Sound:
        """The item's part of its speech.

        Raises:
            InputError: The speech is shorter.
        """
        whole = self._sounds.get(item.speech)
        if whole is None:
            whole = self._sounds[item.speech] = load_sound(self.speech_path(item))
        seconds = whole.seconds - item.start if item.seconds is None else item.seconds
        if item.start + seconds > whole.seconds + SLACK or seconds <= 0:
            raise InputError(
                f"Got {whole.seconds:.2f} s of speech for the item {item.name}, which needs "
                f"{item.start + max(seconds, 0.5):.2f} s; give a longer one or a shorter part."
            )
        frames = max(1, round(seconds * FPS))
        first = round(item.start * whole.sample_rate)
        samples = whole.samples[first : first + round(frames / FPS * whole.sample_rate)]
        return Sound(samples, whole.sample_rate)

    def frames(self, item: Item) -> int:
        """Pictures of every stimulus of the item."""
        return max(1, round(self.sound(item).seconds * FPS))

    def performance(self, item: Item) -> Performance:
        """The whole reference."""
        found = self._performances.get(item.reference)
        if found is None:
            found = load_reference(self.reference_path(item), self.face, fps=FPS).performance
            self._performances[item.reference] = found
        return found

    def part(self, item: Item, performance: Performance, frames: int) -> Performance:
        """The item's part of a reference.

        Raises:
            InputError: The reference is shorter.
        """
        if item.reference_start + frames / FPS > performance.seconds + SLACK:
            raise InputError(
                f"Got {performance.seconds:.2f} s of reference for the item {item.name}, which "
                f"needs {item.reference_start + frames / FPS:.2f} s; give a longer one, begin "
                "earlier, or make the part shorter: stimuli of unequal duration give themselves "
                "away."
            )
        return performance.sampled(item.reference_start + np.arange(frames) / FPS, FPS)

    def moments(self, item: Item) -> Moments:
        """The statistics of the reference's style."""
        weights = self.performance(item).weights
        return style_moments(keypoint_track(self.face, weights), FPS)

    def generated(self, how: Generate, item: Item, style: Item) -> FaceAnimation:
        """The item's speech, said by a system in the style of ``style``'s reference."""
        pipeline = self._pipelines.get(how.model)
        if pipeline is None:
            pipeline = self._pipelines[how.model] = Pipeline.load(how.model, device=self.device)
        performance = self.performance(style)
        if how.use == "localize":
            performance = self.part(style, performance, self.frames(item))
        (animation,) = pipeline.animate(
            self.sound(item),
            performance,
            use=how.use,
            identity=self.head(item),
            seeds=(how.seed,),
            controls=Controls.read(how.controls),
            steps=how.steps,
        )
        return animation


def _open_builder(
    config: Path, folder: Path, device: str, size: int
) -> Callable[[Item], list[Stimulus]]:
    """What renders an item; opened once in each process."""
    workshop = Workshop(read_design(config), config.parent, device)
    return lambda item: _build_item(workshop, item, folder, size)


def _build_item(workshop: Workshop, item: Item, folder: Path, size: int) -> list[Stimulus]:
    """Every condition's stimulus of one item."""
    design = workshop.design
    sound = None if design.protocol.muted else workshop.sound(item)
    paths: list[Path] = []
    made: list[dict] = []
    with HeadRenderer(workshop.face, workshop.head(item), size, size) as renderer:
        for condition in design.conditions:
            path = folder / f"{secrets.token_hex(8)}.mp4"
            if condition.video is not None:
                frames = _video_frames(workshop, condition, item, size)
                made.append({"source": "video"})
            else:
                animation, facts = _animation(workshop, condition, item)
                frames = _shots(renderer, animation, workshop.frames(item))
                made.append({**provenance(animation), **facts})
            write_video(path, frames, FPS, sound, comment=COMMENT)
            paths.append(path)
    pad_alike(paths)
    words = [item.name, *(condition.name for condition in design.conditions)]
    for path in paths:
        check_name(path.name, words)
    traits: list[Traits] = [traits_of(path) for path in paths]
    check_alike(item.name, traits, [condition.name for condition in design.conditions])
    return [
        Stimulus(
            item=item.name,
            condition=condition.name,
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            bytes=own.bytes,
            seconds=own.frames / FPS,
            made=facts,
        )
        for condition, path, own, facts in zip(design.conditions, paths, traits, made, strict=True)
    ]


def _shots(renderer: HeadRenderer, animation: FaceAnimation, frames: int) -> Iterator[Frame]:
    """Exactly so many pictures."""
    for k in range(frames):
        k = min(k, len(animation) - 1)
        turned = None if animation.head is None else animation.head[k]
        yield renderer.frame(animation.weights[k], turned)


def _animation(
    workshop: Workshop, condition: Condition, item: Item
) -> tuple[FaceAnimation, dict[str, str]]:
    """What a condition makes of an item, and what an anchor was taken from."""
    design, head = workshop.design, workshop.head(item)
    everything = (*design.items, *design.training)
    frames = workshop.frames(item)
    if condition.other_item is not None:
        other = another_item(item, everything, design.seed)
        animation, _ = _animation(workshop, design.condition(condition.other_item), other)
        if len(animation) < frames:
            raise InputError(
                f"Got {len(animation) / FPS:.2f} s of {other.name} as the anchor of {item.name}, "
                f"which has {frames / FPS:.2f} s; give items of one actor equal seconds."
            )
        cut = replace(animation, weights=animation.weights[:frames], identity=head)
        return cut, {"anchor": f"the motion of {other.name}"}
    style, facts = item, {}
    source = condition
    if condition.farthest_style is not None:
        style = farthest_style(item, everything, workshop.moments, design.seed)
        source = design.condition(condition.farthest_style)
        facts = {"anchor": f"the style of {style.name} ({style.emotion})"}
    if source.generate is not None:
        return workshop.generated(source.generate, item, style), facts
    performance = workshop.part(style, workshop.performance(style), frames)
    still = replace(captured(performance, workshop.sound(item), head), head=None)
    return still, facts


def _video_frames(
    workshop: Workshop, condition: Condition, item: Item, size: int
) -> Iterator[Frame]:
    """A user's video in the study's picture, exactly as long as the item."""
    path, frames = workshop.video_path(condition, item), workshop.frames(item)
    picture: Frame | None = None
    count = 0
    for frame in frames_at(read_frames(path), FPS):
        if count == frames:
            return
        picture = _fitted(frame, size)
        count += 1
        yield picture
    for _ in range(frames - count):
        assert picture is not None
        yield picture


def _check_seconds(path: Path, item: Item, frames: int) -> None:
    seconds = probe_video(path).seconds
    if abs(seconds - frames / FPS) > SLACK + 1 / FPS:
        raise InputError(
            f"Got {seconds:.2f} s of {path.name} for the item {item.name}, which has "
            f"{frames / FPS:.2f} s; cut it to that, as unequal durations give themselves away."
        )


def _fitted(frame: Frame, size: int) -> UInt8[np.ndarray, "side side 3"]:
    """A picture in the middle of a square, on the grey that is behind heads."""
    height, width = frame.shape[:2]
    scale = size / max(height, width)
    small = Image.fromarray(frame).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS
    )
    square = Image.new("RGB", (size, size), (246, 247, 249))
    square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return np.asarray(square)

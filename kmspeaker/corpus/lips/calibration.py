"""How well the rule's lips follow real ones, and what numbers would follow them better.

Place in the flow: run by hand on talking videos with their text; what it finds goes, rounded,
into the tables of ``visemes`` and ``coarticulation``. The rule is blended again in torch, and all
its numbers move together down the gradient of the error, each held to its present value by a
Gaussian prior, so that a phone which the videos hardly have stays where it is. One clip in five is
kept out of the fit, and judged.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from kmspeaker.corpus.config import read_config
from kmspeaker.corpus.lips.coarticulation import (
    FALL,
    REACH,
    Pull,
    articulate,
    find_pulls,
    full_hold,
    rest_envelope,
    vocal_effort,
)
from kmspeaker.corpus.lips.contacts import contact_envelope, keep_contacts
from kmspeaker.corpus.lips.visemes import (
    BILABIALS,
    CHANNELS,
    GROUP_NAMES,
    GROUPS,
    LABIODENTALS,
    VISEMES,
    Viseme,
    channel_matrix,
    spans,
)
from kmspeaker.corpus.performances.recordings import Recording
from kmspeaker.corpus.performances.videos import open_screener, read_videos
from kmspeaker.errors import InputError
from kmspeaker.face.contacts import PRESSED, Contacts
from kmspeaker.face.landmarks import CHIN, INNER_LOWER_LIP, INNER_UPPER_LIP, MOUTH_CORNERS
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import SAMPLE_RATE

_log = logging.getLogger(__name__)

MEASURES = ("opening", "width", "jaw", "upper lip")
COUNT = (1.0, 0.25, 0.5, 0.25)
"""How much each measure counts in the fit."""
HELD_OUT = 5
"""One clip in so many is judged and not fitted."""
SIGMA = {"targets": 0.07, "holds": 0.5, "reach": 0.4, "fall": 0.1, "gains": 0.5, "lead": 0.02}
"""Spread of each prior: weights, logarithms of factors, and seconds."""
BATCH = 64
TOUCHED = 0.3
"""Contact envelope above which ``contacts`` rules the lips and the blend is not judged."""


@dataclass(frozen=True)
class MeasuredLips:
    """A clip's pulls on its time line, and what its tracked lips measure."""

    recording: Recording
    effort: Float64[np.ndarray, " phones"]
    pulls: Sequence[Pull]
    measured: Float64[np.ndarray, "frames measures"]
    """mm."""


def measure_lips(recording: Recording, measure: Float64[np.ndarray, "52 measures"]) -> MeasuredLips:
    """What the lips of a recording with phones measure, and how strongly each phone is said."""
    effort = vocal_effort(recording.sound(), SAMPLE_RATE, recording.phones)
    return MeasuredLips(
        recording,
        effort,
        find_pulls(recording.phones, recording.seconds, effort),
        recording.mouth @ measure,
    )


def measure_matrix(face: FaceModel) -> Float64[np.ndarray, "52 measures"]:
    """Lip opening, mouth width, fall of the chin and rise of the upper lip by weight, mm."""
    deltas = face.landmark_deltas().astype(np.float64)
    upper, lower, left, right, chin = (
        deltas[:, index] for index in (INNER_UPPER_LIP, INNER_LOWER_LIP, *MOUTH_CORNERS[::-1], CHIN)
    )
    return np.stack(
        [upper[:, 1] - lower[:, 1], left[:, 0] - right[:, 0], -chin[:, 1], upper[:, 1]], axis=1
    )


def agreement(
    clips: Sequence[MeasuredLips], face: FaceModel, measure: Float64[np.ndarray, "52 measures"]
) -> dict[str, float]:
    """Median over clips of the correlation of the whole rule's lips with the real ones."""
    contacts = Contacts.of(face)
    correlations = []
    for lips in clips:
        recording = lips.recording
        weights = articulate(
            recording.phones, recording.seconds, fps=recording.fps, effort=lips.effort
        )
        ruled = keep_contacts(contacts, weights, recording.phones, recording.fps) @ measure
        frames = min(len(ruled), len(lips.measured))
        pairs = zip(ruled[:frames].T, lips.measured[:frames].T, strict=True)
        correlations.append([np.corrcoef(ours, theirs)[0, 1] for ours, theirs in pairs])
    return dict(zip(MEASURES, np.nanmedian(correlations, axis=0), strict=True))


class Rule(nn.Module):
    """``coarticulation``'s blend with every number free."""

    def __init__(self, measure: Float64[np.ndarray, "52 measures"]) -> None:
        super().__init__()
        self.rows: dict[tuple, tuple[int, Viseme, list[str]]] = {}
        for name, shape in VISEMES.items():
            for part in (shape, shape.glide):
                if part is not None:
                    new = (len(self.rows), part, [])
                    self.rows.setdefault(_key(part), new)[2].append(name)
        shapes = [shape for _, shape, _ in self.rows.values()]
        table = [[shape.targets.get(channel, 0.0) for channel in CHANNELS] for shape in shapes]
        holds = [[shape.dominance[group] for group in GROUP_NAMES] for shape in shapes]
        self.table = torch.tensor(table, dtype=torch.float64)
        self.table_holds = torch.tensor(holds, dtype=torch.float64)
        self.table_reach = torch.tensor([REACH[group] for group in GROUP_NAMES])
        self.measure = torch.from_numpy(channel_matrix() @ measure)
        self.moves = nn.ParameterDict(
            {
                "targets": torch.zeros_like(self.table),
                "holds": torch.zeros_like(self.table_holds),
                "reach": torch.zeros(len(GROUP_NAMES), 2, dtype=torch.float64),
                "fall": torch.zeros(1, dtype=torch.float64),
                "gains": torch.zeros(len(GROUP_NAMES), dtype=torch.float64),
                "lead": torch.zeros(1, dtype=torch.float64),
            }
        )

    def targets(self) -> Tensor:
        """Weights by row and channel; a shape that a phone does not use stays out of it."""
        return (self.table + self.moves["targets"] * (self.table > 0)).clamp(0, 1)

    def holds(self) -> Tensor:
        """Dominances by row and group."""
        return self.table_holds * self.moves["holds"].exp()

    def reach(self) -> Tensor:
        """Seconds by group, before and after."""
        return self.table_reach * self.moves["reach"].exp()

    def prior(self) -> Tensor:
        """Minus twice the logarithm of the moves' prior density, up to a constant."""
        moves = self.moves.items()
        return torch.stack([(move / SIGMA[name]).square().sum() for name, move in moves]).sum()

    def describe(self) -> str:
        """The moved numbers, phone by phone, as the tables have them."""
        move = {name: value.detach() for name, value in self.moves.items()}
        fall = FALL * move["fall"].exp().item()
        lines = [f"lead moves by {move['lead'].item():+.3f} s, fall {fall:.2f}"]
        for number, group in enumerate(GROUP_NAMES):
            reach = " ".join(f"{seconds:.3f}" for seconds in self.reach().detach()[number])
            gain = move["gains"][number].exp()
            lines.append(f"{group}: reach {reach}, the speaker's own gain {gain:.2f}")
        targets, holds = self.targets().detach(), self.holds().detach()
        for number, _, names in self.rows.values():
            shapes = [
                f"{channel} {targets[number, column]:.2f}"
                for column, channel in enumerate(CHANNELS)
                if self.table[number, column] > 0
            ]
            hold = " ".join(f"{value:.2f}" for value in holds[number])
            lines.append(f"{','.join(names)}: {', '.join(shapes)}; holds {hold}")
        return "\n".join(lines)

    def forward(self, lips: MeasuredLips) -> Float[Tensor, "frames measures"]:
        """What the rule's lips measure, mm, before contacts."""
        frames, pulls = len(lips.measured), lips.pulls
        times = np.arange(frames) / lips.recording.fps
        rows = torch.tensor([self.rows[_key(pull.shape)][0] for pull in pulls])
        strength = torch.tensor([pull.strength for pull in pulls], dtype=torch.float64)
        targets = self.targets()[rows] * strength[:, None]
        at = torch.from_numpy(times)[:, None] + self.moves["lead"]
        parts = []
        for number, group in enumerate(GROUP_NAMES):
            start, end, height = torch.tensor([full_hold(pull, group) for pull in pulls]).T.double()
            peak = height * self.moves["holds"].exp()[rows, number]
            before, after = self.reach()[number]
            away = (start - at).clamp(min=0) / before + (at - end).clamp(min=0) / after
            hold = peak * torch.exp(-((away + 1e-6) ** (FALL * self.moves["fall"].exp())))
            columns = [CHANNELS.index(channel) for channel in GROUPS[group]]
            blended = hold @ targets[:, columns] / hold.sum(1, keepdim=True).clamp(min=1e-9)
            parts.append(blended * self.moves["gains"][number].exp())
        awake = 1 - torch.from_numpy(rest_envelope(pulls, times))[:, None]
        return (torch.cat(parts, 1) * awake).clamp(0, 1) @ self.measure


def _key(shape: Viseme) -> tuple:
    return (tuple(shape.targets.items()), tuple(shape.dominance.items()))


def error(rule: Rule, lips: MeasuredLips, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Of one clip: the loss of the fit, and the correlation of each measure.

    Means do not count: how far a face rests open is its own affair. Closures are made as
    ``contacts`` makes them; elsewhere in a contact only the opening is judged.
    """
    times = np.arange(len(lips.measured)) / lips.recording.fps
    lip, teeth = (
        torch.from_numpy(contact_envelope(spans(lips.recording.phones, names), times))
        for names in (BILABIALS, LABIODENTALS)
    )
    ours = rule(lips)
    shut = PRESSED + (1 - lip) * (ours[:, 0] - PRESSED).clamp(min=0)
    opening = torch.where(lip > 0, torch.minimum(ours[:, 0], shut), ours[:, 0])
    ours = torch.cat([opening[:, None], ours[:, 1:]], dim=1)
    mask = ((teeth < TOUCHED) & (lip < TOUCHED)).double()[:, None].repeat(1, len(MEASURES))
    mask[:, 0] = (teeth < TOUCHED).double()
    count = mask.sum(0).clamp(min=1)
    ours, theirs = (
        (curve - (curve * mask).sum(0) / count) * mask
        for curve in (ours, torch.from_numpy(lips.measured))
    )
    off = ((ours - theirs).square().sum(0) / count / spread + 0.05).sqrt()
    lengths = (ours.square().sum(0) + 1e-3) * (theirs.square().sum(0) + 1e-3)
    correlation = (ours * theirs).sum(0) / lengths.sqrt()
    loss = ((off + 2 * (1 - correlation)) * torch.tensor(COUNT)).sum()
    return loss, correlation.detach()


def fit(rule: Rule, clips: Sequence[MeasuredLips], *, steps: int, seed: int = 0) -> None:
    """Move the rule's numbers towards the clips' lips."""
    rng = np.random.default_rng(seed)
    spread = torch.from_numpy(np.mean([lips.measured.var(0) for lips in clips], axis=0))
    groups = [{"params": [move], "lr": 0.06 * SIGMA[name]} for name, move in rule.moves.items()]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = rng.choice(len(clips), min(BATCH, len(clips)), replace=False)
        losses = torch.stack([error(rule, clips[index], spread)[0] for index in batch])
        optimizer.zero_grad()
        (losses.mean() * len(clips) + 0.5 * rule.prior()).backward()
        optimizer.step()
        schedule.step()


def main() -> None:
    """Print how well the table does, how well a moved one would, and its numbers."""
    parser = argparse.ArgumentParser(prog="kmspeaker.corpus.lips.calibration", description=__doc__)
    parser.add_argument("config", type=Path, help="a corpus's .toml, for its data and tracks")
    parser.add_argument("--videos", default="grid_s1", help="folder of videos with their text")
    parser.add_argument("--clips", type=int, default=1000, help="at most")
    parser.add_argument("--steps", type=int, default=90, help="of the fit; 0 only judges the table")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config, face = read_config(options.config), FaceModel.load()
    screen, measure = open_screener(config), measure_matrix(face)
    results = (
        screen(video) for video in read_videos(config.data, [options.videos])[: options.clips]
    )
    clips = [
        measure_lips(recording, measure)
        for recording in results
        if isinstance(recording, Recording) and recording.phones
    ]
    if len(clips) < HELD_OUT:
        raise InputError(f"Got {len(clips)} usable clips in {options.videos}; needed are more.")
    held_out = clips[::HELD_OUT]
    train = [lips for number, lips in enumerate(clips) if number % HELD_OUT]
    _log.info(f"{len(train)} clips to fit, {len(held_out)} to judge; median correlation of each")
    _log.info(_line("the rule", agreement(held_out, face, measure)))
    if options.steps:
        rule = Rule(measure)
        _log.info(_line("its blend", judge(rule, held_out)))
        fit(rule, train, steps=options.steps)
        _log.info(_line("moved", judge(rule, held_out)))
        _log.info(rule.describe())


def judge(rule: Rule, clips: Sequence[MeasuredLips]) -> dict[str, float]:
    """Median over clips of each measure's correlation, where contacts leave it to the blend."""
    ones = torch.ones(len(MEASURES), dtype=torch.float64)
    with torch.no_grad():
        correlations = torch.stack([error(rule, lips, ones)[1] for lips in clips])
    return dict(zip(MEASURES, correlations.median(0).values.tolist(), strict=True))


def _line(name: str, correlations: dict[str, float]) -> str:
    return f"{name:10s}" + "".join(
        f"  {measure} {value:.3f}" for measure, value in correlations.items()
    )


if __name__ == "__main__":
    main()

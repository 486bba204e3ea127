"""How well the rule's lips follow real ones, and what numbers would follow them better.

Place in the flow: run by hand on talking videos whose text is known; what it finds goes, rounded,
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
    full_hold,
    pulls_of,
    resting,
    vocal_effort,
)
from kmspeaker.corpus.lips.contacts import PRESSED, Contacts, contact_envelope
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
from kmspeaker.corpus.performances.recordings import Take
from kmspeaker.corpus.performances.videos import open_screen, read_videos
from kmspeaker.errors import InputError
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
class Lips:
    """A clip's pulls on its time line, and the lips that were seen."""

    take: Take
    effort: Float64[np.ndarray, " phones"]
    pulls: Sequence[Pull]
    seen: Float64[np.ndarray, "frames measures"]
    """mm."""


def lips_of(take: Take, measure: Float64[np.ndarray, "52 measures"]) -> Lips:
    """A take with phones, ready to be compared."""
    effort = vocal_effort(take.sound(), SAMPLE_RATE, take.phones)
    return Lips(take, effort, pulls_of(take.phones, take.seconds, effort), take.mouth @ measure)


def measures(face: FaceModel) -> Float64[np.ndarray, "52 measures"]:
    """Lip opening, mouth width, fall of the chin and rise of the upper lip by weight, mm."""
    deltas = face.landmark_deltas().astype(np.float64)
    upper, lower, left, right, chin = (
        deltas[:, index] for index in (INNER_UPPER_LIP, INNER_LOWER_LIP, *MOUTH_CORNERS[::-1], CHIN)
    )
    return np.stack(
        [upper[:, 1] - lower[:, 1], left[:, 0] - right[:, 0], -chin[:, 1], upper[:, 1]], axis=1
    )


def agreement(
    clips: Sequence[Lips], face: FaceModel, measure: Float64[np.ndarray, "52 measures"]
) -> dict[str, float]:
    """Median over clips of the correlation of the whole rule's lips with the real ones."""
    contacts = Contacts.of(face)
    found = []
    for lips in clips:
        take = lips.take
        said = articulate(take.phones, take.seconds, fps=take.fps, effort=lips.effort)
        said = contacts.enforce(said, take.phones, take.fps) @ measure
        frames = min(len(said), len(lips.seen))
        pairs = zip(said[:frames].T, lips.seen[:frames].T, strict=True)
        found.append([np.corrcoef(ours, theirs)[0, 1] for ours, theirs in pairs])
    return dict(zip(MEASURES, np.nanmedian(found, axis=0), strict=True))


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
        self.seen = torch.from_numpy(channel_matrix() @ measure)
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
        """Minus twice the logarithm of what the moves are thought to be worth beforehand."""
        moves = self.moves.items()
        return torch.stack([(move / SIGMA[name]).square().sum() for name, move in moves]).sum()

    def described(self) -> str:
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

    def forward(self, lips: Lips) -> Float[Tensor, "frames measures"]:
        """What the rule's lips measure, mm, before contacts."""
        frames, pulls = len(lips.seen), lips.pulls
        times = np.arange(frames) / lips.take.fps
        rows = torch.tensor([self.rows[_key(pull.shape)][0] for pull in pulls])
        strength = torch.tensor([pull.strength for pull in pulls], dtype=torch.float64)
        wanted = self.targets()[rows] * strength[:, None]
        at = torch.from_numpy(times)[:, None] + self.moves["lead"]
        parts = []
        for number, group in enumerate(GROUP_NAMES):
            start, end, usual = torch.tensor([full_hold(pull, group) for pull in pulls]).T.double()
            peak = usual * self.moves["holds"].exp()[rows, number]
            before, after = self.reach()[number]
            away = (start - at).clamp(min=0) / before + (at - end).clamp(min=0) / after
            hold = peak * torch.exp(-((away + 1e-6) ** (FALL * self.moves["fall"].exp())))
            columns = [CHANNELS.index(channel) for channel in GROUPS[group]]
            blended = hold @ wanted[:, columns] / hold.sum(1, keepdim=True).clamp(min=1e-9)
            parts.append(blended * self.moves["gains"][number].exp())
        awake = 1 - torch.from_numpy(resting(pulls, times))[:, None]
        return (torch.cat(parts, 1) * awake).clamp(0, 1) @ self.seen


def _key(shape: Viseme) -> tuple:
    return (tuple(shape.targets.items()), tuple(shape.dominance.items()))


def error(rule: Rule, lips: Lips, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Of one clip: what is made small, and the correlation of each measure.

    Means do not count: how far a face rests open is its own affair. Closures are made as
    ``contacts`` makes them; elsewhere in a contact only the opening is judged.
    """
    times = np.arange(len(lips.seen)) / lips.take.fps
    lip, teeth = (
        torch.from_numpy(contact_envelope(spans(lips.take.phones, names), times))
        for names in (BILABIALS, LABIODENTALS)
    )
    ours = rule(lips)
    shut = PRESSED + (1 - lip) * (ours[:, 0] - PRESSED).clamp(min=0)
    opening = torch.where(lip > 0, torch.minimum(ours[:, 0], shut), ours[:, 0])
    ours = torch.cat([opening[:, None], ours[:, 1:]], dim=1)
    judged = ((teeth < TOUCHED) & (lip < TOUCHED)).double()[:, None].repeat(1, len(MEASURES))
    judged[:, 0] = (teeth < TOUCHED).double()
    count = judged.sum(0).clamp(min=1)
    ours, seen = (
        (curve - (curve * judged).sum(0) / count) * judged
        for curve in (ours, torch.from_numpy(lips.seen))
    )
    off = ((ours - seen).square().sum(0) / count / spread + 0.05).sqrt()
    lengths = (ours.square().sum(0) + 1e-3) * (seen.square().sum(0) + 1e-3)
    alike = (ours * seen).sum(0) / lengths.sqrt()
    return ((off + 2 * (1 - alike)) * torch.tensor(COUNT)).sum(), alike.detach()


def fit(rule: Rule, clips: Sequence[Lips], *, steps: int, seed: int = 0) -> None:
    """Move the rule's numbers towards the clips' lips."""
    rng = np.random.default_rng(seed)
    spread = torch.from_numpy(np.mean([lips.seen.var(0) for lips in clips], axis=0))
    groups = [{"params": [move], "lr": 0.06 * SIGMA[name]} for name, move in rule.moves.items()]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        drawn = rng.choice(len(clips), min(BATCH, len(clips)), replace=False)
        losses = torch.stack([error(rule, clips[index], spread)[0] for index in drawn])
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
    screen, measure = open_screen(config), measures(face)
    taken = (screen(video) for video in read_videos(config.data, [options.videos])[: options.clips])
    clips = [lips_of(take, measure) for take in taken if isinstance(take, Take) and take.phones]
    if len(clips) < HELD_OUT:
        raise InputError(f"Got {len(clips)} usable clips in {options.videos}; needed are more.")
    judged = clips[::HELD_OUT]
    fitted = [lips for number, lips in enumerate(clips) if number % HELD_OUT]
    _log.info(f"{len(fitted)} clips to fit, {len(judged)} to judge; median correlation of each")
    _log.info(_line("the rule", agreement(judged, face, measure)))
    if options.steps:
        rule = Rule(measure)
        _log.info(_line("its blend", judge(rule, judged)))
        fit(rule, fitted, steps=options.steps)
        _log.info(_line("moved", judge(rule, judged)))
        _log.info(rule.described())


def judge(rule: Rule, clips: Sequence[Lips]) -> dict[str, float]:
    """Median over clips of each measure's correlation, where contacts leave it to the blend."""
    ones = torch.ones(len(MEASURES), dtype=torch.float64)
    with torch.no_grad():
        found = torch.stack([error(rule, lips, ones)[1] for lips in clips])
    return dict(zip(MEASURES, found.median(0).values.tolist(), strict=True))


def _line(name: str, found: dict[str, float]) -> str:
    return f"{name:10s}" + "".join(f"  {measure} {value:.3f}" for measure, value in found.items())


if __name__ == "__main__":
    main()

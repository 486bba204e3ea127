"""Is a performance found again among others by how it moves?

A performance is described by mean and covariance of its keypoints and their velocities, two by
Fréchet's distance. The second half of a clip among all first halves needs no model: the ceiling.
A take of another's speech is looked for among the clips whose style it may have. Ours.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64

from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import mean
from kmspeaker.evaluation.expression_clips import Tracked
from kmspeaker.evaluation.metrics import LEAST_FRAMES, Descriptor, describe, frechet
from kmspeaker.evaluation.report import Finding, Part
from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.performance import Performance

TOP = 5
SETS = ("all keypoints", "upper keypoints")


def ranks(
    queries: Sequence[Descriptor], references: Sequence[Descriptor]
) -> Int64[np.ndarray, " queries"]:
    """Of each query its own reference's place, 1 the nearest; ties are lost.

    Args:
        queries: The first is looked for as the first reference, and so on.
        references: As many or more.
    """
    distances = np.array([[frechet(query, one) for one in references] for query in queries])
    own = np.diagonal(distances)
    return (distances <= own[:, None]).sum(axis=1)


def halves(performance: Performance) -> tuple[Performance, Performance]:
    """The first and the second half."""
    middle = len(performance) // 2
    return cut(performance, 0, middle), cut(performance, middle, len(performance))


def cut(performance: Performance, first: int, last: int) -> Performance:
    """The frames from ``first`` until before ``last``."""
    own = slice(first, last)
    return Performance(
        weights=performance.weights[own],
        fps=performance.fps,
        present=performance.present[own],
        bridged=performance.bridged[own],
        head=performance.head[own],
        doubtful=performance.doubtful[own],
    )


def split(clips: Sequence[Tracked]) -> tuple[list[Tracked], list[Performance], list[Performance]]:
    """The clips both whose halves show the face for long enough, and the halves."""
    used, firsts, seconds = [], [], []
    for tracked in clips:
        first, second = halves(tracked.performance)
        if min(first.present.sum(), second.present.sum()) >= LEAST_FRAMES:
            used.append(tracked)
            firsts.append(first)
            seconds.append(second)
    return used, firsts, seconds


def part(
    clips: Sequence[Tracked], takes: Mapping[str, Mapping[str, Performance]], face: FaceModel
) -> Part:
    """How often performances and takes are found.

    Args:
        clips: Among which is looked.
        takes: By a name for the table: by name of the clip, what was made in its style.
        face: The rig.

    Raises:
        InputError: Fewer than two clips are long enough.
    """
    used, firsts, seconds = split(clips)
    if len(used) < 2:
        raise InputError(
            f"Got {len(used)} clips long enough to be found among others; give two or more."
        )
    names = [tracked.clip.name for tracked in used]
    queries = {"second halves": (seconds, firsts)}
    for name, made in takes.items():
        whole = [tracked.performance for tracked in used]
        queries[name] = [made[clip] for clip in names], whole
    findings: list[Finding] = []
    each: dict[str, dict[str, float]] = {}
    for query, (wanted, among) in queries.items():
        for which in SETS:
            upper = which == "upper keypoints"
            described = [
                [describe(one, face, upper=upper) for one in several] for several in (wanted, among)
            ]
            found = ranks(*described)
            rows = {
                "first": found == 1,
                f"among the first {TOP}": found <= TOP,
                "mean reciprocal rank": 1 / found,
            }
            findings += [
                Finding(f"{query}, {which}: {row}", mean(values.astype(np.float64)))
                for row, values in rows.items()
            ]
            each[f"{query}, {which}"] = dict(zip(names, map(float, found), strict=True))
    chance = sum(1 / rank for rank in range(1, len(used) + 1)) / len(used)
    return Part(
        title="performances are found again",
        rule_made=False,
        on=f"among {len(used)} clips",
        findings=tuple(findings),
        notes=(
            f"By chance: first {1 / len(used):.3f}, among the first {TOP} "
            f"{min(TOP / len(used), 1):.3f}, mean reciprocal rank {chance:.3f}. Second halves are "
            "looked for among first halves, takes among whole clips.",
        ),
        each=each,
    )

"""Made-up participants, to rehearse a study before anybody is asked.

Place in the flow: a ``design`` and what is believed to be true -> here -> ``analysis``, as if
people had answered; or many panels at once, for what share of them would find it. A rating is the
condition's true mean, and how each participant, each item and both departs from it, and noise;
then it is put on the scale. Of a pair the one that comes out higher is preferred.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kmspeaker import __version__
from kmspeaker.errors import InputError
from kmspeaker.evaluation.paired_tests import holm, signed_rank
from kmspeaker.study.design import Design
from kmspeaker.study.plan import Page, plan
from kmspeaker.study.responses import Responses, Row
from kmspeaker.study.statistics import friedman

ALPHA = 0.05
MOST_RATERS = 2000
DAY = 86_400.0
TIE = 3.0
"""Points by which two of a pair differ for neither to be preferred, where that is allowed."""


@dataclass(frozen=True)
class Truth:
    """What is believed: points on the scale from 0 to 100, whatever the protocol."""

    effects: Mapping[str, float | int]
    """The true mean of each rated condition."""
    noise: float | int = 12.0
    """Standard deviation of one rating."""
    taste: float | int = 6.0
    """Of how a participant departs on a condition from the others."""
    level: float | int = 8.0
    """Of how high a participant rates everything."""
    items: float | int = 5.0
    """Of how good an item is, whatever the condition."""
    careless: float | int = 0.0
    """Share of participants who rate without looking."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name in ("noise", "taste", "level", "items"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"Got {name} {getattr(self, name)}; it must be 0 or more.")
        if not 0 <= self.careless <= 1:
            raise InputError(f"Got careless {self.careless}; a share lies between 0 and 1.")
        for name, mean in self.effects.items():
            if not 0 <= mean <= 100:
                raise InputError(f"Got a true mean of {mean:g} for {name}; give 0 to 100.")


@dataclass(frozen=True)
class Found:
    """How often something was found."""

    what: str
    share: float
    """Of the runs in which p, corrected where there are several, is below ``ALPHA``."""
    true_difference: float
    """In points; 0 is a planted null, of which at most 5 % should be found."""


@dataclass(frozen=True)
class Rehearsal:
    """What so many raters would find."""

    raters: int
    runs: int
    omnibus: Found
    pairs: tuple[Found, ...]
    any_null: float | None
    """Share of the runs with any planted null among the findings; None where there is none."""


def simulate(design: Design, truth: Truth, raters: int, *, seed: int = 0) -> Responses:
    """One panel, with the orders that participants of these numbers would get.

    Raises:
        InputError: A condition has no true mean, or is not rated; or the number cannot be meant.
    """
    means = _means_of(design, truth)
    if not 1 <= raters <= MOST_RATERS:
        raise InputError(f"Got {raters} raters; give 1 to {MOST_RATERS}.")
    generator, digest = np.random.default_rng([seed, 1]), design.digest()
    names = [item.name for item in (*design.items, *design.training)]
    of_item = dict(zip(names, generator.normal(0, truth.items, len(names)), strict=True))
    participants: list[Row] = []
    ratings: list[Row] = []
    for number in range(raters):
        taste = generator.normal(0, truth.taste, len(means)) + generator.normal(0, truth.level)
        own = dict(zip(design.rated, means + taste, strict=True))
        careless = generator.random() < truth.careless
        pages = plan(design, number)
        now = number * DAY / max(1, raters)
        for page in pages:
            seen = {
                name: own[name] + of_item[page.item] + generator.normal(0, truth.noise)
                for name in page.stimuli
            }
            for place, key in enumerate(page.rated):
                value = _answer(design, page, key, seen, careless, generator)
                shown = place if page.kind == "check" else page.stimuli.index(key.split("|")[0])
                spent = float(generator.gamma(4, 2 if careless else 6))
                ratings.append(
                    {
                        "participant": number,
                        "position": page.position,
                        "stimulus": key,
                        "kind": page.kind,
                        "item": page.item,
                        "value": value,
                        "place": shown,
                        "seconds": spent,
                        "plays": int(generator.integers(1, 4)),
                        "rated_at": now + spent,
                        "revision": 1,
                        "design_hash": digest,
                        "version": __version__,
                    }
                )
        end = now + 60.0 * len(pages)
        participants.append({"participant": number, "joined_at": now, "finished_at": end})
    return Responses(participants, ratings)


def rehearse(
    design: Design, truth: Truth, raters: int, *, runs: int = 1000, seed: int = 0
) -> Rehearsal:
    """Many panels, and in what share of them each difference is found.

    Wilcoxon's test on every two conditions with Holm's correction, as in ``analysis``; and
    Friedman's, or of preferences whether any pair is found: the likelihood ratio of their report
    counts every comparison as independent, and would find too much.

    Raises:
        InputError: As ``simulate``.
    """
    means = _means_of(design, truth)
    if not 2 <= raters <= MOST_RATERS or not 1 <= runs <= 100_000:
        raise InputError(
            f"Got {raters} raters and {runs} runs; give 2 to {MOST_RATERS} and 1 to 100000."
        )
    pairs = list(combinations(range(len(means)), 2))
    if design.protocol.kind == "pairwise":
        preferred = _preferences(design, truth, means, raters, runs, seed)
        ps = np.stack([signed_rank(preferred[..., k])[1] for k in range(len(pairs))], axis=-1)
        found = holm(ps) < ALPHA
        any_difference = found.any(axis=1)
    else:
        blocks = _panels(design, truth, means, raters, runs, seed)
        ps = np.stack([signed_rank(blocks[..., a] - blocks[..., b])[1] for a, b in pairs], axis=-1)
        found = holm(ps) < ALPHA
        any_difference = friedman(blocks)[1] < ALPHA
    nulls = [k for k, (a, b) in enumerate(pairs) if means[a] == means[b]]
    return Rehearsal(
        raters=raters,
        runs=runs,
        omnibus=Found("any difference", float(any_difference.mean()), float(np.ptp(means))),
        pairs=tuple(
            Found(
                f"{design.rated[a]}|{design.rated[b]}",
                float(found[:, k].mean()),
                float(means[a] - means[b]),
            )
            for k, (a, b) in enumerate(pairs)
        ),
        any_null=float(found[:, nulls].any(axis=1).mean()) if nulls else None,
    )


def _panels(
    design: Design, truth: Truth, means: np.ndarray, raters: int, runs: int, seed: int
) -> np.ndarray:
    """Participants' means over their items, ``(runs, raters, conditions)``."""
    generator = np.random.default_rng([seed, 2])
    items, conditions = design.pages, len(means)
    blocks = np.empty((runs, raters, conditions))
    for run in range(runs):  # one at a time: all ratings of all runs do not fit into memory
        seen = means + generator.normal(0, truth.level, (raters, 1, 1))
        seen = seen + generator.normal(0, truth.taste, (raters, 1, conditions))
        seen = seen + generator.normal(0, truth.items, (items, 1))
        seen = seen + generator.normal(0, truth.noise, (raters, items, conditions))
        careless = generator.random(raters) < truth.careless
        seen[careless] = generator.uniform(0, 100, (int(careless.sum()), items, conditions))
        blocks[run] = _on_scale(design, seen).mean(axis=1)
    return blocks


def _preferences(
    design: Design, truth: Truth, means: np.ndarray, raters: int, runs: int, seed: int
) -> np.ndarray:
    """Participants' mean preferences over their items, ``(runs, raters, pairs)``.

    Above zero for the first of a pair. What is common to both of a pair, level and item, cancels.
    """
    generator = np.random.default_rng([seed, 3])
    items, conditions = design.pages, len(means)
    one, other = np.array(list(combinations(range(conditions), 2))).T
    preferred = np.empty((runs, raters, len(one)))
    for run in range(runs):
        own = means + generator.normal(0, truth.taste, (raters, conditions))
        gain = (own[:, one] - own[:, other])[:, None, :]
        gain = gain + generator.normal(0, truth.noise * 2**0.5, (raters, items, len(one)))
        chosen = _preference(design, gain)
        careless = generator.random(raters) < truth.careless
        guessed = generator.uniform(-1, 1, (int(careless.sum()), items, len(one)))
        chosen[careless] = np.round(guessed)
        preferred[run] = chosen.mean(axis=1)
    return preferred


def _answer(
    design: Design,
    page: Page,
    key: str,
    seen: Mapping[str, float],
    careless: bool,
    generator: np.random.Generator,
) -> float:
    low, high = design.scale
    if page.check is not None and not careless:
        return float((page.check.low + page.check.high) / 2)
    if careless:
        anything = float(generator.uniform(low, high))
        return anything if design.protocol.kind == "mushra" else float(round(anything))
    if "|" not in key:
        return float(_on_scale(design, np.array(seen[key])))
    one, other = key.split("|")
    return float(_preference(design, np.array(seen[other] - seen[one])))


def _preference(design: Design, gain: np.ndarray) -> np.ndarray:
    """1 where what it is the gain of is preferred, -1 where the other is, 0 for neither."""
    chosen = np.where(gain > 0, 1.0, -1.0)
    return np.where(np.abs(gain) < TIE, 0.0, chosen) if design.protocol.ties else chosen


def _on_scale(design: Design, points: np.ndarray) -> np.ndarray:
    """Points from 0 to 100 on the protocol's scale, in its steps."""
    if design.protocol.kind == "acr":
        return np.asarray(np.clip(np.floor(points / 20), 0, 4) + 1)
    return np.asarray(np.clip(np.round(points), 0, 100))


def _means_of(design: Design, truth: Truth) -> np.ndarray:
    unknown = sorted(set(truth.effects) ^ set(design.rated))
    if unknown:
        raise InputError(
            f"Got true means that do not fit {unknown[0]!r}; give one for each of "
            f"{', '.join(design.rated)}."
        )
    return np.array([float(truth.effects[name]) for name in design.rated])


def default_effects(design: Design) -> dict[str, float]:
    """Something to begin with: systems from 70 down in steps of 8, an anchor at 20."""
    systems: Sequence[str] = design.of_role("system")
    effects = {name: max(30.0, 70.0 - 8.0 * k) for k, name in enumerate(systems)}
    effects |= dict.fromkeys(design.of_role("anchor"), 20.0)
    effects |= dict.fromkeys(design.of_role("reference"), 95.0)
    return {name: effects[name] for name in design.rated}

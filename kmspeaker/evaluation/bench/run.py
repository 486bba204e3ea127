"""``python -m kmspeaker evaluate``: all systems, all protocols, one report that can be resumed.

Place in the flow: the command line calls ``run_bench``. What cannot be measured is a sentence in
the report and does not stop the rest. Answers are kept in the report's folder as soon as a system
has given them; the same command goes on where it was stopped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from kmspeaker.baselines.without_network import Blend
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench import expressions, pictures
from kmspeaker.evaluation.bench.answers import LOUDNESS, answer, ask_loudness, asker
from kmspeaker.evaluation.bench.comparison import Comparison, compare
from kmspeaker.evaluation.bench.facts import Facts, measure_facts
from kmspeaker.evaluation.bench.figures import figures_of
from kmspeaker.evaluation.bench.outside import ask_peer
from kmspeaker.evaluation.bench.page import Chapter, write_page
from kmspeaker.evaluation.bench.results import (
    Answers,
    load,
    place_of,
    read_json,
    save,
    write_json,
)
from kmspeaker.evaluation.bench.tables import TITLES, facts_table, tables_of
from kmspeaker.evaluation.bench.trials import FPS, PROTOCOLS, TrialSet
from kmspeaker.evaluation.bench.wanted import Bench, Faults, trial_sets, unseen_clips
from kmspeaker.evaluation.expression_clips import Clip
from kmspeaker.evaluation.judge import Judge
from kmspeaker.evaluation.peers import PEERS
from kmspeaker.face.rig import FaceModel
from kmspeaker.parallel import Workers
from kmspeaker.pipeline import Pipeline
from kmspeaker.speech.encoders import ENCODERS

CACHE = "cache"


@dataclass(frozen=True)
class Entrant:
    """A system that could be loaded."""

    place: str
    """As ``Pipeline.load`` takes it."""
    name: str
    """In tables."""
    version: str
    encoder: str
    """Empty of what hears the sound itself: loudness, and other people's lip sync."""
    fps: float
    protocols: tuple[str, ...] = PROTOCOLS
    """That it answers: lip sync alone has its part in ``people``, and a blend, which is ours where
    there is no performance to blend, in ``localization``."""


@dataclass(frozen=True)
class Outcome:
    """Where the report is, and what it lacks."""

    page: Path
    faults: tuple[str, ...]


def run_bench(
    bench: Bench,
    output: Path,
    *,
    workers: Workers | None = None,
    tell: Callable[[str], None] = lambda line: None,
    tell_fault: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Measure all that can be, and write the report.

    Args:
        bench: What is to be measured.
        output: Folder of the report and of what is kept for the next run.
        workers: Where systems are asked; here by default.
        tell: Told what is being done.
        tell_fault: Told what cannot be.

    Raises:
        InputError: No system can be loaded, there is no trial at all, or the folder cannot be
            written.
    """
    cache = output / CACHE
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make {cache} ({error.strerror}); name another folder.") from error
    faults, face = Faults(tell_fault), FaceModel.load()
    tell("systems")
    entrants = _entrants(bench, faults)
    if not entrants and LOUDNESS not in bench.systems:
        raise InputError("Got no system that can be loaded; name one with --systems.")
    tell("trials")
    clips = unseen_clips(bench, faults)
    systems = [each for each in entrants if each.encoder]
    encoder = systems[0].encoder if systems else ENCODERS[0]
    sets = trial_sets(bench, clips, face, faults, encoder)
    made = {trials.protocol for trials in sets}
    for each in entrants:
        if len(each.protocols) == 1 and not made & set(each.protocols):
            faults.add(
                f"{each.name}: Got no trials of the protocol {each.protocols[0]}, its only one."
            )
    answers = _answers(bench, entrants, sets, cache, workers or Workers(), faults, tell)
    chapters = []
    for trials in sets:
        if answers[trials.key]:
            chapters.append(_chapter(trials, answers[trials.key], face, bench, faults))
    if "expression" in bench.protocols:
        chapters += _expression(bench, systems, clips, face, cache, faults, tell)
    if not chapters:
        raise InputError(f"Got nothing that could be measured: {' '.join(faults.sentences)}")
    tell("speed")
    facts = _facts(bench, systems, cache, faults)
    chapters.append(Chapter("Systems", [facts_table(facts)], {}))
    about = {
        "systems": ", ".join(f"{each.name} ({each.version})" for each in entrants),
        "trials": "; ".join(f"{TITLES[trials.key]}: {trials.on}" for trials in sets),
        "seeds": ", ".join(map(str, bench.seeds)),
    }
    return Outcome(write_page(output, about, chapters, faults.sentences), tuple(faults.sentences))


def _entrants(bench: Bench, faults: Faults) -> list[Entrant]:
    found: list[Entrant] = []
    for place in bench.systems:
        if place == LOUDNESS:
            continue
        try:
            if place in PEERS:
                version = f"{place}@{PEERS[place].version()}"
                found.append(Entrant(place, place, version, "", FPS, ("people",)))
                continue
            pipeline = Pipeline.load(place, device=bench.device)
        except InputError as error:
            faults.add(f"{place}: {error}")
            continue
        name = pipeline.model_name.rsplit("@", 1)[0]
        if name in {each.name for each in found}:
            name = pipeline.model_name
        blends = isinstance(pipeline.model, Blend)
        found.append(
            Entrant(
                place,
                name,
                pipeline.model_name,
                pipeline.encoder.name,
                pipeline.fps,
                ("localization",) if blends else PROTOCOLS,
            )
        )
    return found


def _answers(
    bench: Bench,
    entrants: Sequence[Entrant],
    sets: Sequence[TrialSet],
    cache: Path,
    workers: Workers,
    faults: Faults,
    tell: Callable[[str], None],
) -> dict[str, list[Answers]]:
    """By set, in the order of the systems; what is kept is not asked again."""
    kept: dict[tuple[str, str], Answers] = {}
    jobs: list[tuple[str, str, int]] = []
    places: dict[tuple[str, str], Path] = {}
    loudness = Entrant(LOUDNESS, LOUDNESS, LOUDNESS, "", FPS, ("people",))
    for each in (*entrants, loudness):
        for number, trials in enumerate(sets):
            if trials.protocol not in each.protocols:
                continue
            if each.encoder and (each.encoder, each.fps) != (trials.encoder, FPS):
                faults.add(
                    f"{each.name}: Got a system that hears {each.encoder} at {each.fps:g} frames/s "
                    f"and trials of {trials.encoder} at {FPS:g}; make a corpus of its encoder."
                )
                continue
            place = place_of(cache, each.version, trials, bench.seeds)
            places[each.name, trials.key] = place
            earlier = load(place)
            if earlier is None:
                jobs.append((each.place, each.name, number))
            else:
                kept[each.name, trials.key] = replace(earlier, system=each.name)
    opened = partial(_open, tuple(sets), bench.seeds, bench.device)
    for (_, name, number), result in zip(jobs, workers.map(opened, jobs), strict=True):
        key = sets[number].key
        if isinstance(result, str):
            faults.add(f"{name}, {key}: {result}")
        else:
            tell(f"{name}: {key} ({len(sets[number].trials)} trials)")
            save(result, places[name, key])
            kept[name, key] = result
    order = [each.name for each in (*entrants, loudness)]
    return {
        trials.key: [kept[name, trials.key] for name in order if (name, trials.key) in kept]
        for trials in sets
    }


def _open(
    sets: tuple[TrialSet, ...], seeds: tuple[int, ...], device: str
) -> Callable[[tuple[str, str, int]], Answers | str]:
    """What a worker opens once: the face, and one system after the other."""
    judge = Judge.of(FaceModel.load(), FPS)

    @lru_cache(1)
    def pipeline(place: str) -> Pipeline:
        return Pipeline.load(place, device=device)

    def work(job: tuple[str, str, int]) -> Answers | str:
        place, name, number = job
        try:
            if place == LOUDNESS:
                ask = ask_loudness
            else:
                ask = ask_peer(place) if place in PEERS else asker(pipeline(place), seeds)
            return answer(ask, judge, sets[number], name)
        except InputError as error:
            return str(error)

    return work


def _chapter(
    trials: TrialSet, answers: Sequence[Answers], face: FaceModel, bench: Bench, faults: Faults
) -> Chapter:
    comparison = compare(trials, answers)
    return Chapter(
        TITLES[trials.key],
        tables_of(comparison, len(bench.seeds)),
        figures_of(comparison),
        _pictures(comparison, face, faults) if bench.pictures else "",
    )


def _pictures(comparison: Comparison, face: FaceModel, faults: Faults) -> str:
    if comparison.trials.protocol == "people":
        return ""  # lips alone, which curves show better
    try:
        shown = pictures.strips(comparison, face)
        if comparison.trials.protocol != "cross":
            shown += pictures.moving(comparison, face)
    except InputError as error:
        faults.once(str(error))
        return ""
    return shown


def _expression(
    bench: Bench,
    entrants: Sequence[Entrant],
    clips: Sequence[Clip],
    face: FaceModel,
    cache: Path,
    faults: Faults,
    tell: Callable[[str], None],
) -> Iterator[Chapter]:
    """The chapter, where some system could be measured."""
    figures: dict[str, expressions.Figures] = {}
    acted = [clip for clip in clips if clip.emotion is not None]
    for each in entrants if acted else ():
        if "expression" not in each.protocols:
            continue
        tell(f"{each.name}: expression")
        try:
            figures[each.name] = expressions.measure(
                each.place, each.version, acted, face, bench.tracks, cache
            )
        except InputError as error:
            faults.add(f"{each.name}, expression: {error}")
    if clips and not acted:
        faults.add("Got no clip of an acted emotion; label them in clips.tsv or give CREMA-D's.")
    if figures:
        table = expressions.table_of(figures, len(acted))
        yield Chapter("What of a real expression survives", [table], {})


def _facts(
    bench: Bench, entrants: Sequence[Entrant], cache: Path, faults: Faults
) -> Mapping[str, Facts]:
    found: dict[str, Facts] = {}
    for each in entrants:
        path = cache / f"facts-{each.version.replace('/', '-')}-{bench.device}.json"
        try:
            kept = read_json(path)
            facts = measure_facts(each.place, bench.device) if kept is None else Facts(**kept)
        except (InputError, TypeError) as error:
            faults.add(f"{each.name}: {error}")
            continue
        write_json(asdict(facts), path)
        found[each.name] = facts
    return found

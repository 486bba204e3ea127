"""``python -m kmspeaker.evaluation``: the table of a model on held-out data, into its card."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.evaluation import disentanglement, lips, localization, phonetic_contacts, seam, style
from kmspeaker.evaluation.card import write_section
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.evaluation.localization_pairs import PAIRS, LocalizationPair, make_pairs
from kmspeaker.evaluation.report import (
    CARD_SECTION,
    Part,
    Report,
    Verdict,
    figures_that_are,
    heading,
    markdown,
    table,
    write_json,
)
from kmspeaker.pipeline import Pipeline

PARTS = ("lips", "phonetic_contacts", "localization", "disentanglement", "style", "seam")


def evaluate(
    context: EvaluationContext,
    only: Sequence[str] = PARTS,
    pairs: int = PAIRS,
    on_part: Callable[[str, Part], None] = lambda name, part: None,
) -> Report:
    """Measure some or all parts, in the table's order.

    Args:
        context: The model and the data.
        only: Names of parts.
        pairs: Number of pairs of speech and performance that are localized.
        on_part: Called with each part's name and figures as soon as they are measured.

    Raises:
        InputError: An unknown part, or data that a part needs is missing.
    """
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        raise InputError(f"Got the part {unknown[0]!r}; choose among {', '.join(PARTS)}.")

    @cache
    def localizations() -> tuple[LocalizationPair, ...]:
        return make_pairs(context, pairs)

    measures: Mapping[str, Callable[[], Part]] = {
        "lips": lambda: lips.measure(context),
        "phonetic_contacts": lambda: phonetic_contacts.measure(context),
        "localization": lambda: localization.measure(context, localizations()),
        "disentanglement": lambda: disentanglement.measure(context, localizations()),
        "style": lambda: style.measure(context),
        "seam": lambda: seam.measure(context, localizations()),
    }
    parts: dict[str, Part] = {}
    for name in PARTS:
        if name in only:
            parts[name] = measures[name]()
            on_part(name, parts[name])
    corpus = context.corpus
    return Report(
        model=context.pipeline.model_name,
        steps=context.pipeline.model.config.steps,
        corpus=f"a corpus of {corpus.minutes:.0f} minutes (seed {corpus.seed})",
        parts=parts,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it into the card and as JSON if asked to."""
    options = _parser().parse_args(arguments)
    only = PARTS if options.only is None else options.only.split(",")
    try:
        if options.card is not None and set(only) != set(PARTS):
            raise InputError("Got --only with --card; the card takes the whole table.")
        if options.card is not None and not options.card.is_file():
            raise InputError(f"Got no model card at {options.card}; give that of the model.")
        if "lips" in only:
            lips.real_clips(options.clips)
        context = EvaluationContext(
            pipeline=Pipeline.load(options.model, device=options.device),
            corpus=Corpus.open(options.corpus),
            clips=options.clips,
            tracks=options.tracks,
        )
        report = evaluate(context, only, options.pairs, _print)
        sys.stdout.write(f"\n{heading(report)}")
        verdicts: tuple[Verdict, ...] = ("missed", "undecided")
        for verdict in verdicts:
            for figure in figures_that_are(verdict, report):
                sys.stdout.write(f"{verdict}: {figure}\n")
        if options.json is not None:
            write_json(report, options.json)
        if options.card is not None:
            write_section(options.card, CARD_SECTION, markdown(report))
    except InputError as error:
        sys.stderr.write(f"kmspeaker.evaluation: {error}\n")
        return 2
    return 0


def _print(name: str, part: Part) -> None:
    sys.stdout.write(table(name, part))
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kmspeaker.evaluation", description=__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--corpus", type=Path, required=True, help="what the model was trained on")
    parser.add_argument(
        "--clips", type=Path, help="folder of videos of real people talking, for lips"
    )
    parser.add_argument(
        "--tracks", type=Path, help="folder that keeps their face tracks between runs"
    )
    parser.add_argument("--card", type=Path, help="write the table into this model card")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--only", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs for localization")
    parser.add_argument("--device", default="auto")
    return parser


if __name__ == "__main__":
    sys.exit(main())

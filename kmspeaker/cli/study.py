"""``kmspeaker study``: make a rating study, rehearse it, hold it, and analyse what was answered."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from kmspeaker.cli.options import Commands, add_quiet
from kmspeaker.errors import InputError
from kmspeaker.progress import stage_bars

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from kmspeaker.study.analysis import Analysis
    from kmspeaker.study.design import Design
    from kmspeaker.study.simulation import Truth
    from kmspeaker.study.store import Store
    from kmspeaker.study.study_folder import Study

_CONFIG = "the study's YAML file, or ready:lips or ready:style for the paper's"
_NEEDS = "requirements-study.txt"
_TOKEN = "KMSPEAKER_STUDY_TOKEN"
MOST_JOBS = 4
"""Processes of a build where nobody says how many; each takes most of a gigabyte."""
MIRROR_MINUTES = 5.0
"""Between two copies of the raw data."""
_DATABASE = (
    "where ratings are (default STUDY/ratings.db); postgresql://USER@HOST/DATABASE, with its "
    "password in ~/.pgpass, not here"
)


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    study = commands.add_parser(
        "study", help="rating studies: stimuli, rehearsal, the study itself, analysis"
    )
    actions = study.add_subparsers(required=True, metavar="ACTION")
    build = actions.add_parser(
        "build",
        help="render a study's stimuli and freeze them",
        description="Render every condition of every item with one light and camera, check that "
        "none gives its condition away, and freeze them with a manifest of hashes.",
    )
    build.add_argument("config", metavar="CONFIG", help=_CONFIG)
    build.add_argument("-o", "--output", type=Path, required=True, metavar="STUDY")
    build.add_argument(
        "--size", type=int, default=512, help="pixels of the square picture (default %(default)d)"
    )
    build.add_argument(
        "--jobs",
        type=int,
        default=min(os.cpu_count() or 1, MOST_JOBS),
        metavar="N",
        help="processes (default %(default)d)",
    )
    build.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add_quiet(build)
    build.set_defaults(run=run_build)
    simulate = actions.add_parser(
        "simulate",
        help="what would so many participants find?",
        description="Rehearse a study with made-up participants: in what share of many runs each "
        "difference is found, and with -o the report that one panel would give.",
    )
    simulate.add_argument("config", metavar="CONFIG", help=_CONFIG)
    simulate.add_argument("-n", "--raters", type=int, default=24, help="default %(default)d")
    simulate.add_argument(
        "--effect",
        action="append",
        default=[],
        metavar="CONDITION=MEAN",
        help="a condition's true mean, 0 to 100; systems go down from 70, anchors have 20",
    )
    for name, default, meaning in (
        ("noise", 12.0, "standard deviation of one rating, points"),
        ("taste", 6.0, "of how participants differ on a condition"),
        ("level", 8.0, "of how high participants rate everything"),
        ("items", 5.0, "of how items differ"),
        ("careless", 0.0, "share of participants who do not look"),
    ):
        simulate.add_argument(
            f"--{name}", type=float, default=default, help=f"{meaning} (default {default:g})"
        )
    simulate.add_argument("--runs", type=int, default=1000, help="default %(default)d")
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument("-o", "--output", type=Path, metavar="REPORT", help="a folder")
    simulate.set_defaults(run=run_simulate)
    serve = actions.add_parser(
        "serve",
        help="open a study to its participants",
        description="Serve a built study until Ctrl-C: participants at /, its owner at /owner.",
    )
    serve.add_argument("study", type=Path, metavar="STUDY", help="what build made")
    serve.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 for every (default %(default)s)"
    )
    serve.add_argument("--port", type=int, default=7861, help="0 for any (default %(default)d)")
    serve.add_argument("--database", metavar="URL", help=_DATABASE)
    serve.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"its first line opens the owner's page (default: ${_TOKEN}, or no such page)",
    )
    serve.add_argument(
        "--mirror",
        metavar="OWNER/DATASET",
        help="also copy the raw data to this private dataset of the Hub, which HF_TOKEN may "
        "write to",
    )
    serve.add_argument(
        "--mirror-minutes",
        type=float,
        default=MIRROR_MINUTES,
        metavar="N",
        help="default %(default)g",
    )
    add_quiet(serve)
    serve.set_defaults(run=run_serve)
    rescue = actions.add_parser(
        "rescue", help="take in what a participant's page could not save but offered as a file"
    )
    rescue.add_argument("study", type=Path, metavar="STUDY", help="what build made")
    rescue.add_argument("file", type=Path, metavar="FILE", help="ratings-not-saved.json")
    rescue.add_argument("--database", metavar="URL", help=_DATABASE)
    rescue.set_defaults(run=run_rescue)
    analyse = actions.add_parser(
        "analyse",
        help="a report, tables for a paper, and the raw data",
        description="Analyse what was answered, before and after screening.",
    )
    analyse.add_argument("study", type=Path, metavar="STUDY", help="what build made")
    analyse.add_argument("-o", "--output", type=Path, required=True, metavar="REPORT")
    analyse.add_argument("--database", metavar="URL", help=_DATABASE)
    analyse.set_defaults(run=run_analyse)


def run_build(options: argparse.Namespace) -> None:
    """Render, check and freeze."""
    from kmspeaker.study.build import build_study  # isort: skip  it says why first
    from kmspeaker.export.render import check_opengl

    check_opengl()
    with stage_bars(quiet=options.quiet) as report:
        study = build_study(
            _config(options.config),
            options.output,
            device=options.device,
            size=options.size,
            jobs=options.jobs,
            progress=report,
        )
    stimuli = study.manifest.stimuli
    size, digest = sum(each.bytes for each in stimuli) / 2**20, study.manifest.design[:8]
    print(f"{options.output}: {len(stimuli)} stimuli, {size:.1f} MiB, design {digest}")


def run_simulate(options: argparse.Namespace) -> None:
    """Print what would be found, and write the report of one panel."""
    _check_installed()
    from kmspeaker.study.analysis import analyse
    from kmspeaker.study.design_file import read_design
    from kmspeaker.study.report import write_report
    from kmspeaker.study.simulation import rehearse, simulate

    design = read_design(_config(options.config))
    truth = _truth(design, options)
    rehearsal = rehearse(design, truth, options.raters, runs=options.runs, seed=options.seed)
    print(f"{rehearsal.raters} participants, {rehearsal.runs} runs; found with p < .05:")
    for found in (rehearsal.omnibus, *rehearsal.pairs):
        what = found.what.replace("|", " and ")
        print(f"  {what:44s} {found.true_difference:+6.1f} points  {found.share:7.1%}")
    if rehearsal.any_null is not None:
        print(f"  {'any of those that are truly equal':44s} {'':13s}  {rehearsal.any_null:7.1%}")
    if options.output is not None:
        responses = simulate(design, truth, options.raters, seed=options.seed)
        analysis = analyse(design, responses)
        means = ", ".join(f"{design.label(k)} {mean:g}" for k, mean in truth.effects.items())
        written = write_report(
            analysis,
            responses,
            options.output,
            simulated=f"{options.raters} participants made up from these true means: {means}; "
            f"noise {truth.noise:g}, taste {truth.taste:g}, level {truth.level:g}, items "
            f"{truth.items:g}, careless {truth.careless:.0%}, seed {options.seed}.",
        )
        _print_analysis(analysis, options.output, len(written))


def run_serve(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    _check_installed()
    from kmspeaker.web import free_port
    from kmspeaker.web.study.serving import serve_study

    port = free_port(options.host, options.port)
    token = _token(options.token_file)
    opened = open_study(
        options.study,
        token=token,
        database=options.database,
        mirror=options.mirror,
        mirror_minutes=options.mirror_minutes,
    )
    owner = "" if token is None else "; its owner's page is /owner"
    with opened as (study, app):

        def announce(address: str) -> None:
            if not options.quiet:
                title = study.design.title
                print(f"{title} is open at {address}{owner}. Ctrl-C ends it.", flush=True)

        serve_study(app, host=options.host, port=port, announce=announce)


@contextmanager
def open_study(
    folder: Path,
    *,
    token: str | None = None,
    database: str | None = None,
    mirror: str | None = None,
    mirror_minutes: float = MIRROR_MINUTES,
) -> "Iterator[tuple[Study, Starlette]]":
    """A built study and the application that takes ratings, until the end of the context.

    Args:
        folder: What ``build`` made.
        token: Opens the owner's page; that of the environment where None, or no such page.
        database: Where ratings are; the folder's own where None.
        mirror: A private dataset of the Hub that the raw data is copied to.
        mirror_minutes: How often.

    Raises:
        InputError: The folder holds no study, its ratings cannot be opened, or the mirror or the
            token cannot be used.
    """
    _check_installed()
    from kmspeaker.study.study_folder import load_study
    from kmspeaker.web.study.serving import study_app

    study = load_study(folder)
    with _opened(study, database) as store:
        app = study_app(study, store, token=token or os.environ.get(_TOKEN) or None)
        with _mirrored(store, study.design, mirror, mirror_minutes):
            yield study, app


@contextmanager
def _opened(study: "Study", database: str | None) -> "Iterator[Store]":
    """Where a study's ratings are, until the end of the context; a sentence where they are not."""
    from kmspeaker.study.store import Store, StoreUnavailable

    try:
        store = Store(database or study.database, study.design, stimuli_hash=study.stimuli_hash)
        try:
            yield store
        finally:
            store.close()
    except StoreUnavailable as error:
        raise InputError(f"Cannot open the ratings: {error}") from error


def run_rescue(options: argparse.Namespace) -> int:
    """Take the file in; 2 where something in it could not be."""
    _check_installed()
    from kmspeaker.study.study_folder import load_study
    from kmspeaker.web.study.rescue import rescue

    study = load_study(options.study)
    with _opened(study, options.database) as store:
        taken, refused = rescue(study, store, options.file)
    for sentence in refused:
        print(f"Not taken: {sentence}", file=sys.stderr)
    print(f"{taken} saved, {len(refused)} not.")
    return 2 * bool(refused)


def run_analyse(options: argparse.Namespace) -> None:
    """Analyse and write the report."""
    _check_installed()
    from kmspeaker.study.analysis import analyse
    from kmspeaker.study.report import write_report
    from kmspeaker.study.study_folder import DATABASE, load_study

    study = load_study(options.study, check_files=False)
    if options.database is None and not (options.study / DATABASE).is_file():
        raise InputError(
            f"Got no ratings in {options.study / DATABASE}; nobody has taken part yet, or name "
            "the database with --database."
        )
    with _opened(study, options.database) as store:
        responses = store.responses()
    analysis = analyse(study.design, responses)
    written = write_report(analysis, responses, options.output)
    _print_analysis(analysis, options.output, len(written))


def _print_analysis(analysis: "Analysis", folder: Path, files: int) -> None:
    from kmspeaker.study.tables import findings, interval_words

    best = analysis.best
    excluded = len({each.participant for each in analysis.exclusions})
    left_out = f", {excluded} left out by screening" if analysis.screened is not None else ""
    if excluded and analysis.screened is None:
        left_out = f", {excluded} break a rule of screening but too few would be left"
    print(f"{analysis.design.title}: {len(best.participants)} participants{left_out}")
    for each in best.conditions:
        mean = interval_words(each.mean)
        print(f"  {analysis.design.label(each.name):44s} {mean:22s} rank {each.rank.value:.2f}")
    for each in best.strengths:
        print(f"  {analysis.design.label(each.name):44s} {interval_words(each.log_strength, 2)}")
    for line in findings(best):
        print(f"  {line}")
    print(f"{folder / 'report.html'} and {files - 1} files beside it")


def _mirrored(
    store: "Store", design: "Design", dataset: str | None, minutes: float
) -> AbstractContextManager[None]:
    if dataset is None:
        return nullcontext()
    if not minutes > 0:
        raise InputError(f"Got --mirror-minutes {minutes:g}; give more than 0.")
    from huggingface_hub import HfApi

    from kmspeaker.hub import without_telemetry
    from kmspeaker.web.study.mirror import Mirror

    without_telemetry()

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    mirror = Mirror(store, design, dataset, api=HfApi(), say=say)
    return mirror.running(minutes * 60)


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(_TOKEN) or None
    try:
        return file.read_text(encoding="utf-8").strip().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the token in {file}; name a text file.") from error


def _config(name: str) -> Path:
    _check_installed()
    from kmspeaker.study.design_file import ready_made

    return ready_made(name.removeprefix("ready:")) if name.startswith("ready:") else Path(name)


def _check_installed() -> None:
    """Refuse where the packages for studies are not there.

    Raises:
        InputError: One is missing.
    """
    from importlib.util import find_spec

    for package in ("alembic", "pandas", "pyarrow", "sqlalchemy", "statsmodels", "yaml"):
        if find_spec(package) is None:
            raise InputError(
                f"Got `study`, which needs {package}; `pip install -r {_NEEDS}` or "
                "`pip install kmspeaker[study]`."
            )


def _truth(design: "Design", options: argparse.Namespace) -> "Truth":
    from kmspeaker.study.simulation import Truth, default_effects

    effects = default_effects(design)
    for given in options.effect:
        name, _, mean = given.partition("=")
        if name not in effects:
            raise InputError(
                f"Got --effect {given}; the rated conditions are {', '.join(effects)}."
            )
        try:
            effects[name] = float(mean)
        except ValueError as error:
            raise InputError(f"Got --effect {given}; give it as {name}=60.") from error
    return Truth(
        effects,
        noise=options.noise,
        taste=options.taste,
        level=options.level,
        items=options.items,
        careless=options.careless,
    )

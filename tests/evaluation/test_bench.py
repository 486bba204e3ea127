"""Systems beside each other: what is asked, what is said of it, and what a report does with faults.

The systems are tiny networks that were never trained, and the rivals without a network.
"""

import csv
import dataclasses
import json
import pickle
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from evaluation_data import FPS, performed_corpus
from tiny_model import TINY, awake, some_weights

from kmspeaker.cli import main
from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench import answers, corpus_trials, facts, people_trials, results, run
from kmspeaker.evaluation.bench.comparison import ALPHA, compare
from kmspeaker.evaluation.bench.page import MARKDOWN, PAGE
from kmspeaker.evaluation.bench.results import Answers
from kmspeaker.evaluation.bench.trials import Trial, TrialSet
from kmspeaker.evaluation.bench.wanted import Bench
from kmspeaker.evaluation.bootstrap import clustered_mean, mean
from kmspeaker.evaluation.expression_clips import find_clips, track_clips
from kmspeaker.evaluation.judge import Judge
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import FaceModel
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

FRAMES = 90


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return performed_corpus(tmp_path_factory.mktemp("corpus"), frames=FRAMES)


@pytest.fixture(scope="module")
def systems(face: FaceModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two networks that differ in their numbers."""
    folder = tmp_path_factory.mktemp("systems")
    for seed, name in enumerate(("one", "other")):
        awake(TINY, seed, face).save(folder / name, "made up")
    return str(folder / "one"), str(folder / "other")


@pytest.fixture(autouse=True)
def no_process_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """Starting Python for each system takes longer than all else here."""
    known = facts.Facts("x@0", 1234, 0.5, 300.0)
    monkeypatch.setattr(run, "measure_facts", lambda system, device: known)


def wanted(corpus: Corpus, systems: tuple[str, ...], **others) -> Bench:
    small = {"sequences": 3, "pairs": 3, "seeds": (0, 1), "pictures": False}
    return Bench(systems, corpus=corpus.folder, **{**small, **others})


@pytest.fixture(scope="module")
def report(corpus: Corpus, systems: tuple[str, str], tmp_path_factory: pytest.TempPathFactory):
    """A report, and the sentences it told."""
    folder = tmp_path_factory.mktemp("out") / "report"
    patch = pytest.MonkeyPatch()
    patch.setattr(run, "measure_facts", lambda system, device: facts.Facts("x@0", 1, 0.5, 3.0))
    outcome = run.run_bench(wanted(corpus, (*systems, "held", "copied")), folder)
    patch.undo()
    assert outcome.faults == ()
    return folder


def _rows(table: Path) -> list[list[str]]:
    with table.open(newline="") as file:
        return list(csv.reader(file))


class TestTrials:
    def test_a_window_is_spoken_in_the_style_of_the_one_before(self, corpus, face):
        trials = corpus_trials.matching(corpus, face, 60)
        by_name = {clip.name: corpus.read(clip) for clip in corpus.split("test")}
        for trial in trials.trials:
            whole = by_name[trial.name.split(" from ")[0]].weights
            half = FRAMES // 2
            np.testing.assert_array_equal(trial.style.weights, whole[:half])
            np.testing.assert_array_equal(trial.real, whole[half : 2 * half])

    def test_pairs_are_of_two_clips_and_always_the_same(self, corpus, face):
        trials, again = (corpus_trials.localization(corpus, face, 5) for _ in range(2))
        assert trials.digest() == again.digest()
        for trial in trials.trials:
            speech, other = trial.name[3:].split(" as ")
            assert speech != other
            assert trial.follow is trial.style and len(trial.style) == len(trial.real)
        assert trials.digest() != corpus_trials.localization(corpus, face, 4).digest()

    def test_another_state_of_the_same_actor_is_the_style_of_neutral_speech(self, corpus, face):
        for trial in corpus_trials.cross(corpus, face, 60).trials:
            speech, other = trial.name.split(" as ")
            assert "neutral" in speech and "neutral" not in other
            assert speech.split("_")[0] == trial.person
            assert trial.own_style is not None

    def test_an_empty_split_is_refused(self, corpus, face):
        train = [clip for clip in corpus.clips if clip.split != "test"]
        with pytest.raises(InputError, match="test split is empty"):
            corpus_trials.matching(dataclasses.replace(corpus, clips=tuple(train)), face, 3)

    def test_a_set_travels_to_another_process_as_it_is(self, corpus, face):
        reader = corpus_trials.fit_reader(corpus, face)
        trials = dataclasses.replace(corpus_trials.cross(corpus, face, 2), reader=reader)
        assert pickle.loads(pickle.dumps(trials)).digest() == trials.digest()

    def test_parts_of_unequal_length_are_refused(self):
        style = Performance.from_weights(some_weights(20), FPS)
        with pytest.raises(InputError, match=r"\[19, 20\] frames"):
            Trial("x", "me", np.zeros((20, 6), np.float32), style, some_weights(19))

    def test_halves_of_clips_are_style_and_speech_and_neighbours_are_other_people(
        self, face, pipeline, tmp_path
    ):
        for name, example in load_examples().items():
            (tmp_path / f"{name}.mp4").symlink_to(example.reference)
            track = example.reference.with_suffix(".track.npz")
            (tmp_path / f"{name}.npz").symlink_to(track)
        tracked, _ = track_clips(find_clips([tmp_path]), face, tmp_path)
        spoken = people_trials.read_spoken(tracked, pipeline.encoder)
        names = {one.name for one in spoken}
        assert names == set(load_examples())
        encoder = pipeline.encoder.name
        for trial in people_trials.people(spoken, encoder, 60).trials:
            own = next(one for one in spoken if one.name == trial.name)
            assert trial.style is not own.style and trial.loudness is not None
            assert len(trial.loudness) == len(trial.real) == len(trial.features)
        pairs = people_trials.localization(spoken, encoder, 100)
        assert len(pairs.trials) == len(spoken) * (len(spoken) - 1)
        only_me = [dataclasses.replace(one, person="me") for one in spoken]
        for protocol in (people_trials.people, people_trials.localization):
            with pytest.raises(InputError, match="two people"):
                protocol(only_me, encoder, 60)


class TestAnswers:
    def trial(self, **others) -> Trial:
        real = some_weights(40, 1)
        style = Performance.from_weights(some_weights(40, 2), FPS)
        features = np.zeros((40, 6), np.float32)
        return Trial("it", "me", features, style, real, **others)

    def judged(self, face: FaceModel, protocol: str, take: np.ndarray, trial: Trial):
        judge = Judge.of(face, FPS)
        return answers.judged(judge, protocol, trial, [take, take], [take])

    def test_who_does_what_the_person_did_has_no_error(self, face: FaceModel):
        trial = self.trial()
        found = self.judged(face, "matching", trial.real, trial)
        assert found["LVE mean"] == found["MSE"] == found["FDD"] == found["diversity"] == 0
        assert self.judged(face, "people", trial.real, trial)["lips follow"] == pytest.approx(1)

    def test_who_copies_the_performance_follows_it(self, face: FaceModel):
        trial = self.trial(follow=Performance.from_weights(some_weights(40, 3), FPS))
        assert trial.follow is not None
        found = self.judged(face, "localization", trial.follow.weights, trial)
        assert found["U-MSE"] == 0 and found["creases"] == 1 and found["LVE mean"] > 0.1

    def test_who_copies_the_style_has_it_and_lips_that_do_not_change_are_kept(self, face):
        trial = self.trial(own_style=Performance.from_weights(some_weights(40, 4), FPS))
        found = self.judged(face, "cross", trial.style.weights, trial)
        assert found["style distance"] == pytest.approx(0, abs=1e-6)
        assert found["style found"] == 1 and found["kept"] == 1

    def test_a_state_is_read_from_whoever_has_the_style_and_not_from_others(self, corpus, face):
        judge, reader = Judge.of(face, FPS), corpus_trials.fit_reader(corpus, face)
        found: dict[str, list[tuple[float, float]]] = {"SCS": [], "state read": []}
        for trial in corpus_trials.cross(corpus, face, 14).trials:
            takes = trial.style.weights[: len(trial.real)], trial.real
            has, has_not = (
                answers.judged(judge, "cross", trial, [take], [trial.real], reader)
                for take in takes
            )
            for measure, pairs in found.items():
                pairs.append((has[measure], has_not[measure]))
        for pairs in found.values():
            has, has_not = np.mean(pairs, axis=0)
            assert has > 0.7 and has_not < 0.4

    def test_takes_of_another_length_are_refused(self, face: FaceModel):
        trials = TrialSet("matching", "corpus", "", (self.trial(),), "whisper-tiny.en")
        with pytest.raises(InputError, match="Got 39 frames from short"):
            answers.answer(
                lambda trial, style: [trial.real[:-1]], Judge.of(face, FPS), trials, "short"
            )

    def test_lips_in_pauses_are_looked_at_where_the_sound_has_any(self, face: FaceModel):
        loud = np.where((np.arange(40) > 12) & (np.arange(40) < 26), 1e-5, 1.0)
        trial = self.trial(loudness=loud)
        found = self.judged(face, "people", trial.real, trial)
        assert found["pauses"] == found["pauses of people"] > 0
        assert "pauses" not in self.judged(face, "people", trial.real, self.trial())

    def test_loudness_opens_the_jaw_and_needs_a_sound(self):
        loud = np.linspace(0, 2, 40)
        (take,) = answers.ask_loudness(self.trial(loudness=loud), self.trial().style)
        assert take.max() == 1 and np.corrcoef(take.sum(1), loud)[0, 1] == pytest.approx(1)
        with pytest.raises(InputError, match="without their sound"):
            answers.ask_loudness(self.trial(), self.trial().style)


class TestComparison:
    def trials(self, count: int, people: int) -> TrialSet:
        style = Performance.from_weights(some_weights(8), FPS)
        made = tuple(
            Trial(f"t{k}", f"p{k % people}", np.zeros((8, 6), np.float32), style, some_weights(8))
            for k in range(count)
        )
        return TrialSet("matching", "corpus", "made up", made, "whisper-tiny.en")

    def answers(self, system: str, values: np.ndarray, measure: str = "LVE mean") -> Answers:
        own = {f"t{k}": float(value) for k, value in enumerate(values)}
        return Answers(system, "matching-corpus", {measure: own}, {}, 0.1)

    def test_who_is_always_worse_is_so_marked_and_who_is_the_same_is_not(self):
        first = np.random.default_rng(0).uniform(1, 2, 30)
        found = compare(
            self.trials(30, 5),
            [
                self.answers("ours", first),
                self.answers("worse", first + 0.3),
                self.answers("better", first - 0.1),
                self.answers("same", first),
            ],
        )
        marks = {system: test.mark for system, test in found.tests["LVE mean"].items()}
        assert marks == {"worse": " -", "better": " +", "same": ""}
        assert found.estimates["LVE mean"]["worse"].value == pytest.approx(first.mean() + 0.3)
        assert found.tests["LVE mean"]["same"].p_holm == 1

    @pytest.mark.parametrize(
        ("measure", "worse"), [("lips follow", 0.1), ("kept", 1.9), ("FDD signed", -2.0)]
    )
    def test_what_is_worse_depends_on_the_measure(self, measure: str, worse: float):
        best = {"lips follow": 0.9, "kept": 1.1, "FDD signed": 0.1}[measure]
        noise = np.random.default_rng(0).normal(0, 0.01, (2, 20))
        found = compare(
            self.trials(20, 4),
            [
                self.answers("ours", best + noise[0], measure),
                self.answers("theirs", worse + noise[1], measure),
            ],
        )
        test = found.tests[measure]["theirs"]
        assert test.better == 1 and test.p_holm < ALPHA

    def test_people_who_differ_make_the_interval_wider_than_as_many_trials_would(self):
        people = [f"p{k // 20}" for k in range(80)]
        values = np.repeat([1.0, 2.0, 3.0, 4.0], 20) + np.random.default_rng(0).normal(0, 0.1, 80)
        clustered, flat = clustered_mean(values, people), mean(values)
        assert clustered.value == pytest.approx(flat.value)
        assert clustered.high - clustered.low > 2 * (flat.high - flat.low)
        alone = clustered_mean(values, [f"p{k}" for k in range(80)])
        assert alone.high - alone.low == pytest.approx(flat.high - flat.low, rel=0.15)
        assert clustered_mean([np.nan], ["me"]).items == 0
        assert clustered_mean([2.0, np.nan], ["me", "you"]).value == 2


def test_answers_are_kept_as_they_were_and_what_is_no_answer_is_none(tmp_path: Path):
    own = Answers("s", "matching-corpus", {"MSE": {"a": 0.25}}, {"a": some_weights(5)}, 0.5)
    results.save(own, tmp_path / "a.json")
    kept = results.load(tmp_path / "a.json")
    assert kept is not None and kept.values == own.values
    np.testing.assert_allclose(kept.examples["a"], own.examples["a"], atol=1e-4)
    for text in ("", "{}", "[1]", '{"system": "s", "trials": "x", "values": 3}'):
        (tmp_path / "b.json").write_text(text)
        assert results.load(tmp_path / "b.json") is None
    assert results.load(tmp_path / "nowhere.json") is None


class Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


class TestReport:
    def test_the_page_needs_nothing_else_and_holds_the_papers_own_figures_apart(self, report):
        text = (report / PAGE).read_text()
        addresses = Addresses()
        addresses.feed(text)
        assert all(address.startswith("data:") for address in addresses.found)
        assert text.count("The paper&#x27;s Table 1, on its own data") == 1
        for title in ("Matching context", "Dialogue localization", "Cross context", "Size, speed"):
            assert title in text
        assert len(text) < 12_000_000

    def test_every_table_is_there_as_csv_latex_and_markdown(self, report):
        tables = sorted(path.stem for path in (report / "tables").glob("*.csv"))
        assert tables == sorted(path.stem for path in (report / "tables").glob("*.tex"))
        assert {"matching-corpus", "localization-corpus", "paper-table-2", "systems"} <= set(tables)
        assert (report / MARKDOWN).read_text().count("\n### ") == len(tables) - 1

    def test_the_rivals_rows_are_what_must_be(self, report):
        rows = _rows(report / "tables/localization-corpus.csv")
        assert rows[0][1].startswith("U-MSE")
        upper = {row[0]: float(row[1].split()[0]) for row in rows[1:]}
        assert list(upper) == ["one", "other", "held", "copied"]
        assert upper["copied"] < 0.05 < upper["held"]  # resting lips are evened, and move cheeks
        rows = _rows(report / "tables/matching-corpus-further.csv")
        still = {row[0]: row[rows[0].index("LDD (mm)")] for row in rows[1:]}
        assert float(still["held"].split()[0]) > 0

    def test_what_was_measured_is_not_measured_again(
        self, report, corpus, systems, tmp_path, monkeypatch
    ):
        def refuse(*_, **__):
            raise AssertionError("asked again")

        monkeypatch.setattr(Pipeline, "motion", refuse)
        before = (report / MARKDOWN).read_text()
        outcome = run.run_bench(wanted(corpus, (*systems, "held", "copied")), report)
        assert outcome.faults == () and (report / MARKDOWN).read_text() == before

    def test_what_cannot_be_measured_is_a_sentence_and_the_rest_is_written(
        self, corpus, systems, face, tmp_path
    ):
        stranger = awake(TINY, 3, face)
        stranger.config = dataclasses.replace(stranger.config, rig="0123456789abcdef")
        stranger.save(tmp_path / "stranger", "of another head")
        asked = (systems[0], str(tmp_path / "stranger"), "nobody", "held")
        bench = wanted(corpus, asked, protocols=("matching", "people"))
        told: list[str] = []
        outcome = run.run_bench(bench, tmp_path / "report", tell_fault=told.append)
        assert tuple(told) == outcome.faults
        (unknown, no_people, other_head) = outcome.faults
        assert unknown.startswith("nobody: Got the model 'nobody'")
        assert "needs people" in no_people
        assert other_head.startswith("stranger, matching-corpus: ") and "head" in other_head
        rows = _rows(outcome.page.parent / "tables/matching-corpus.csv")
        assert [row[0] for row in rows[1:]] == ["one", "held"]
        assert "needs people" in outcome.page.read_text()

    def test_a_blend_is_asked_only_where_there_is_a_performance_to_blend(
        self, corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(run, "measure_facts", lambda *_: facts.Facts("x@0", 1, 0.5, 3.0))
        asked = wanted(corpus, ("held", "blend"), protocols=("matching",), seeds=(0,))
        (fault,) = run.run_bench(asked, tmp_path).faults
        assert "blend" in fault and "localization, its only one" in fault
        assert [row[0] for row in _rows(tmp_path / "tables" / "matching-corpus.csv")] == [
            "system",
            "held",
        ]

    def test_nothing_to_measure_is_refused(self, corpus, systems, tmp_path):
        with pytest.raises(InputError, match="--corpus or folders of --clips"):
            Bench(systems)
        with pytest.raises(InputError, match="matching,localization"):
            wanted(corpus, systems, protocols=("matching", "dancing"))
        with pytest.raises(InputError, match="name each once"):
            wanted(corpus, ("held", "held"))
        with pytest.raises(InputError, match="no system that can be loaded"):
            run.run_bench(wanted(corpus, ("nobody",)), tmp_path / "report")
        (tmp_path / "empty").mkdir()
        empty = dataclasses.replace(wanted(corpus, ("held",)), corpus=tmp_path / "empty")
        with pytest.raises(InputError, match=r"no corpus\.json"):
            run.run_bench(empty, tmp_path / "report")

    def test_the_command_says_where_the_report_is_and_ends_with_2_for_what_it_lacks(
        self, corpus, systems, tmp_path, capsys
    ):
        common = ["evaluate", "--corpus", str(corpus.folder), "--protocol", "matching", "-q"]
        common += ["--sequences", "2", "--seeds", "1", "--no-pictures", "-o", str(tmp_path / "r")]
        assert main([*common, "--systems", f"{systems[0]},held"]) == 0
        assert capsys.readouterr().out.strip() == str(tmp_path / "r" / PAGE)
        assert main([*common, "--systems", f"{systems[0]},nobody"]) == 2
        printed = capsys.readouterr()
        assert printed.out.strip().endswith(", 1 not measured")
        assert "kmspeaker: nobody: Got the model" in printed.err
        assert main(["evaluate", "--corpus", str(corpus.folder)]) == 2
        assert "name one with -o" in capsys.readouterr().err


def test_size_and_speed_are_of_the_system(systems: tuple[str, str]):
    measured = facts._facts("held", "cpu")
    assert measured.version.startswith("held@") and measured.parameters == 0
    assert facts._facts(systems[0], "cpu").parameters > 1000
    assert measured.real_time_factor > 0 and measured.peak_megabytes > 50
    assert json.dumps(dataclasses.asdict(measured))

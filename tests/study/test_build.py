"""Stimuli of an item are alike in all but the face, and what was frozen stays as it was."""

from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from studies import table

from kmspeaker.cli import main
from kmspeaker.errors import InputError
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.media.video_writer import write_video
from kmspeaker.reference.tracking import FaceTrack
from kmspeaker.study.anchors import another_item, distances, farthest_style, wasserstein
from kmspeaker.study.build import FPS, Workshop, build_study
from kmspeaker.study.giveaways import check_alike, check_name, pad_alike, traits_of
from kmspeaker.study.stimuli import Item
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import Study, load_study

SECONDS = 0.5


def write_config(folder: Path, **changes: object) -> Path:
    """A system of one step, a video, a performance and an anchor; two items of half a second."""
    content = table(systems=1, items=2)
    content["conditions"]["system-0"]["generate"] = {"steps": 1}
    content["conditions"]["filmed"] = {"label": "Filmed", "video": "filmed/{item}.mp4"}
    content["conditions"]["target"] = {"label": "Target", "role": "target", "capture": True}
    for k, item in enumerate(content["items"]):
        item |= {"seconds": SECONDS, "start": k * SECONDS, "reference_start": k * SECONDS}
    content |= changes
    (folder / "filmed").mkdir(exist_ok=True)
    grey = np.full((48, 60, 3), 90, np.uint8)
    for item in content["items"]:
        write_video(folder / "filmed" / f"{item['name']}.mp4", [grey] * 15, 30.0)
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    return build_study(write_config(folder), folder / "built", device="cpu", size=64)


def test_nothing_but_the_face_tells_conditions_apart(built: Study):
    assert len(built.manifest.stimuli) == 2 * 4
    for item in built.design.items:
        stimuli = [built.stimulus(item.name, c.name) for c in built.design.conditions]
        traits = [traits_of(built.path(each)) for each in stimuli]
        assert len({repr((t.bytes, t.picture, t.frames, t.metadata)) for t in traits}) == 1
        assert {t.frames for t in traits} == {15}
        heard = [load_sound(built.path(each), min_seconds=0.0).samples for each in stimuli]
        assert all(np.array_equal(heard[0], other) for other in heard[1:])
        assert len({each.sha256 for each in stimuli}) == 4
        for each in stimuli:
            assert not set(each.file) - set("0123456789abcdef.mp4")
            with av.open(str(built.path(each))) as container:  # the padding troubles no player
                assert sum(1 for _ in container.decode(video=0)) == 15
    anchor = built.stimulus("item-0", "anchor")
    assert anchor.made["anchor"] == "the motion of item-1"
    assert built.stimulus("item-0", "system-0").made["model"].startswith("small@")
    assert built.expected_seconds("item-0", 3) == pytest.approx(3 * (SECONDS * 1.5 + 4))


def test_what_was_frozen_and_then_changed_is_refused(built: Study):
    stimulus = built.stimulus("item-0", "anchor")
    path = built.path(stimulus)
    kept = path.read_bytes()
    try:
        path.write_bytes(kept[:-1] + b"x")
        with pytest.raises(InputError, match="item-0 by anchor, changed since"):
            load_study(built.folder)
        path.unlink()
        with pytest.raises(InputError, match=r"Got no .*item-0 by anchor"):
            load_study(built.folder)
    finally:
        path.write_bytes(kept)
    design = built.folder / "design.yaml"
    text = design.read_text()
    design.write_text(text.replace("title: Lips", "title: Ears"))
    with pytest.raises(InputError, match="changed since the study was built"):
        load_study(built.folder)
    design.write_text(text)
    assert load_study(built.folder).stimuli_hash == built.stimuli_hash


def test_a_built_study_is_analysed_from_the_command_line(
    built: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["study", "analyse", str(built.folder), "-o", str(tmp_path / "report")]
    assert main(command) == 2
    assert "nobody has taken part yet" in capsys.readouterr().err
    store = Store(built.database, built.design, stimuli_hash=built.stimuli_hash)
    for _ in range(3):
        participant = store.join()[1]
        for page in store.pages(participant):
            for place, key in enumerate(page.rated):
                value, save = 30 * place + participant.number, f"{page.position} {key}"
                store.rate(participant, page.position, key, value, seconds=5, save=save)
    store.close()
    assert main(command) == 0
    assert "Lips: 3 participants" in capsys.readouterr().out
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"start": 5.0}, "5.25 s of speech for the item item-1, which needs 5.50 s"),
        ({"reference_start": 4.5}, "4.67 s of reference for the item item-1, which needs 5.00 s"),
        ({"speech": "none.wav"}, "Got no file .*none.wav for the item item-1"),
        ({"reference": "example:nobody"}, "bundled examples are delighted, suspicious"),
        ({"head": "nobody"}, "nobody"),
    ],
)
def test_items_that_cannot_be_made_are_refused_before_anything_is_written(
    change: dict[str, object], sentence: str, tmp_path: Path
):
    content = table(systems=1, items=2)
    rest = {"label": "Captured", "capture": True}
    items = [{**item, "seconds": SECONDS} for item in content["items"]]
    items[1] |= change
    both = {"one": rest, "two": dict(rest)}
    config = write_config(tmp_path, conditions=both, items=items)
    with pytest.raises(InputError, match=sentence):
        build_study(config, tmp_path / "built", size=64)
    assert {path.name for path in tmp_path.iterdir()} == {"study.yaml", "filmed"}


def test_unequal_durations_and_missing_videos_are_refused(tmp_path: Path):
    config = write_config(tmp_path)
    grey = np.full((48, 60, 3), 90, np.uint8)
    write_video(tmp_path / "filmed" / "item-0.mp4", [grey] * 24, 30.0)
    with pytest.raises(InputError, match=r"0.80 s of item-0.mp4 for the item item-0, .* 0.50 s"):
        build_study(config, tmp_path / "built", size=64)
    (tmp_path / "filmed" / "item-0.mp4").unlink()
    with pytest.raises(InputError, match=r"Got no file .*item-0.mp4 for the item item-0"):
        build_study(config, tmp_path / "built", size=64)
    with pytest.raises(InputError, match="is there already"):
        build_study(config, tmp_path / "filmed")


def test_each_trait_that_would_give_a_condition_away_is_named(tmp_path: Path):
    grey, tone = np.full((64, 64, 3), 90, np.uint8), np.sin(np.arange(16_000) * 0.1)

    def video(
        name: str, *, frames: int = 6, side: int = 64, volume: float = 0.3, comment: str = "same"
    ) -> Path:
        sound = Sound((volume * tone[:3200]).astype(np.float32), 16_000)
        path = tmp_path / f"{name}.mp4"
        write_video(path, [grey[:side]] * frames, 30.0, sound, comment=comment)
        return path

    for what, other in {
        "picture": video("b", side=48),
        "duration": video("c", frames=5),
        "metadata": video("d", comment="ours"),
        "dB between": video("e", volume=0.1),
    }.items():
        paths = [video("a"), other]
        pad_alike(paths)
        with pytest.raises(InputError, match=what):
            check_alike("x", [traits_of(path) for path in paths], ("one", "two"))
    with pytest.raises(InputError, match="size of"):
        check_alike("x", [traits_of(video("a")), traits_of(video("f", volume=0.31))], ("1", "2"))
    with pytest.raises(InputError, match="whose name says anchor"):
        check_name("item-anchor.mp4", ["anchor"])


def test_anchors_are_of_the_same_actor_and_of_the_farthest_emotion():
    def item(name: str, actor: str, emotion: str, start: float = 0.0) -> Item:
        return Item(name, "a.wav", "r.npz", actor, emotion=emotion, start=start, seconds=1.0)

    items = [
        item("a1", "a", "calm"),
        item("a2", "a", "glad", 1.0),
        item("a3", "a", "angry", 2.0),
        item("b1", "b", "angry"),
    ]
    place = {"calm": 0.0, "glad": 1.0, "angry": 5.0}

    def moments(one: Item) -> tuple[np.ndarray, np.ndarray]:
        return np.full(3, place[one.emotion]), np.eye(3)

    assert {another_item(items[0], items, seed).name for seed in range(9)} == {"a2", "a3"}
    assert farthest_style(items[0], items, moments, 0).name == "a3"
    assert farthest_style(items[2], items, moments, 0).name == "a1"
    away = distances({each.emotion: moments(each) for each in items[:3]}, "calm")
    assert away == pytest.approx({"glad": 3**0.5, "angry": 75**0.5})
    one, other = (np.zeros(2), np.diag([4.0, 1.0])), (np.zeros(2), np.diag([1.0, 9.0]))
    assert wasserstein(one, other) == pytest.approx((1 + 4) ** 0.5)  # of deviations 2, 1 and 1, 3


def test_the_ready_made_studies_parts_lie_within_the_bundled_examples():
    from kmspeaker.study.design_file import READY, read_design, ready_made

    for name in READY:
        design = read_design(ready_made(name))
        workshop = Workshop(design, ready_made(name).parent, "cpu")
        workshop.check_files()
        for item in (*design.items, *design.training):
            frames = workshop.frames(item)
            assert frames == 51
            if design.target is not None:  # what the track ends with is its performance's end
                track = FaceTrack.load(workshop.reference_path(item))
                assert item.reference_start + frames / FPS <= track.times[-1] + 1 / FPS

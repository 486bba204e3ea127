"""Who trains, who is development, who is test; and licences that changed."""

from itertools import combinations

import pytest

from kmspeaker.corpus.people import USES, read_people, use_of
from kmspeaker.corpus.performances.cremad import EMOTIONS, SENTENCES, read_name
from kmspeaker.corpus.performances.videos import read_videos
from kmspeaker.errors import InputError


def test_nobody_is_in_training_and_elsewhere():
    people = read_people()
    assert set(people) == set(USES) and len(people["training"]) > 20
    for one, other in combinations(("training", "development", "test"), 2):
        assert not set(people[one]) & set(people[other])


def test_a_file_is_of_the_person_whose_pattern_fits_first():
    assert use_of("natural", "us_KatieHill.mp4") == "development"
    assert use_of("natural", "us_RoyBlunt_1.mp4") == "training"
    assert use_of("natural", "us_RoyBlunt_2.mp4") == "left_out"
    assert use_of("clips", "LipNet_lwbsza.mp4") == "training"  # GRID's speaker 4 again
    assert use_of("clips", "LivePortrait_d6.mp4") == "development"
    assert use_of("my_own", "me.mp4") is None


def test_people_who_are_not_for_training_are_left_out_whatever_the_index_says(tmp_path):
    folder = tmp_path / "natural"
    folder.mkdir()
    names = ("us_KatieHill.mp4", "us_LisaMurkowski.mp4", "us_RoyBlunt_2.mp4")
    rows = [f"{name}\tPublic domain in the US\tsomeone {name}" for name in names]
    (folder / "clips.tsv").write_text("\n".join(["file\tlicence\tperson_id", *rows]) + "\n")
    for name in names:
        (folder / name).write_bytes(b"")
    (video,) = read_videos(tmp_path, ["natural"])
    assert video.path.name == "us_LisaMurkowski.mp4"
    assert video.whole and video.licence == "public domain"


@pytest.mark.parametrize(
    ("folder", "licence", "message"),
    [("grid_s4", "MIT", "MIT.*had CC-BY-4.0"), ("mine", "all rights reserved", "all rights")],
)
def test_a_licence_that_is_unknown_or_changed_is_told(tmp_path, folder, licence, message):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a.mp4").write_bytes(b"")
    table = f"file\ttext\tlicence\na.mp4\tbin blue\t{licence}\n"
    (tmp_path / folder / "clips.tsv").write_text(table)
    with pytest.raises(InputError, match=message):
        read_videos(tmp_path, [folder])


def a_folder_with_lag(tmp_path, lag: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.mp4").write_bytes(b"")
    (tmp_path / "mine" / "clips.tsv").write_text(
        f"file\ttext\tlicence\tlag_ms\na.mp4\thello\tCC0\t{lag}\n"
    )


@pytest.mark.parametrize(("stated", "late"), [("-60", -0.06), ("", 0.0)])
def test_a_clips_own_lag_is_read_from_its_index(tmp_path, stated, late):
    a_folder_with_lag(tmp_path, stated)
    (video,) = read_videos(tmp_path, ["mine"])
    assert video.late == late


@pytest.mark.parametrize("stated", ["soon", "nan", "900"])
def test_a_lag_that_cannot_be_is_told(tmp_path, stated):
    a_folder_with_lag(tmp_path, stated)
    with pytest.raises(InputError, match=f"lag_ms '{stated}' of a.mp4"):
        read_videos(tmp_path, ["mine"])


def test_cremads_layout_needs_no_index(tmp_path):
    folder = tmp_path / "cremad"
    folder.mkdir()
    for name in ("1002_IEO_HAP_HI.flv", "1003_WSI_SAD_XX.flv", "1001_DFA_ANG_XX.flv", "read.me"):
        (folder / name).write_bytes(b"")
    happy, sad = read_videos(tmp_path, ["cremad"])  # 1001 is for development
    assert (happy.speaker, happy.text) == ("cremad_1002", "It's eleven o'clock")
    assert happy.whole and happy.licence == "ODbL-1.0" and sad.speaker == "cremad_1003"
    assert len(SENTENCES) == 12 and len(EMOTIONS) == 6
    assert read_name("1003_WSI_SAD_XX.mov") is None and read_name("1003_XXX_SAD_XX.flv") is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"clips\.tsv and no videos named as CREMA-D"):
        read_videos(tmp_path, ["empty"])

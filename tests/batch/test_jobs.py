"""What a folder or a spreadsheet lists, and the sentence for each that is no use."""

from pathlib import Path

import pytest

from kmspeaker.animation.controls import Controls
from kmspeaker.batch.jobs import DEFAULT_OPTIONS, PairOptions, read_pairs, safe_name
from kmspeaker.errors import InputError


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def table(folder: Path, text: str, name: str = "jobs.csv", encoding: str = "utf-8") -> Path:
    path = touched(folder, "a.wav", "b.wav", "smile.mp4") / name
    path.write_text(text, encoding)
    return path


def test_files_of_equal_name_are_pairs(tmp_path: Path):
    touched(tmp_path, "b.WAV", "b.npz", "a.mp3", "a.csv", ".hidden.wav", "notes.txt", "report.csv")
    first, second = read_pairs(tmp_path)
    assert (first.name, first.speech.name, first.performance.name) == ("a", "a.mp3", "a.csv")
    assert (second.name, second.speech.name, second.performance.name) == ("b", "b.WAV", "b.npz")
    assert first.options == second.options == DEFAULT_OPTIONS and DEFAULT_OPTIONS.use == "localize"


def test_two_folders_pair_by_name_and_a_film_may_bring_its_sound(tmp_path: Path):
    touched(tmp_path, "speech/a.mp4", "performance/a.mp4", "speech/b.wav", "performance/b.csv")
    first, second = read_pairs(tmp_path)
    assert first.speech == tmp_path / "speech/a.mp4" and not first.fault
    assert second.performance == tmp_path / "performance/b.csv" and not second.fault


def test_what_has_no_partner_or_two_is_told_and_the_rest_stays(tmp_path: Path):
    touched(tmp_path, "a.wav", "a.mp4", "b.wav", "c.csv", "d.wav", "d.csv", "d.mp4")
    good, *bad = read_pairs(tmp_path)
    assert not good.fault
    assert [pair.fault.split(";")[0] for pair in bad] == [
        "There is no performance of the name b",
        "There is no speech of the name c",
        "Got more than one performance of the name d (d.csv and d.mp4)",
    ]


@pytest.mark.parametrize(
    ("speech", "performance"),
    [
        ("a.amr", "a.csv"),
        ("a.caf", "a.npz"),
        ("a.m4b", "a.mp4"),
        ("a.MKA", "a.ts"),
        ("a.au", "a.3gp"),
    ],
)
def test_what_phones_and_studios_record_is_paired(speech: str, performance: str, tmp_path: Path):
    (pair,) = read_pairs(touched(tmp_path, speech, performance))
    assert not pair.fault
    assert (pair.speech.name, pair.performance.name) == (speech, performance)


def test_an_ending_that_says_nothing_is_named(tmp_path: Path):
    touched(tmp_path, "a.sesx", "a.csv", "b.wav", "b.braw", "c.mov", "c.csv")
    faults = [pair.fault for pair in read_pairs(tmp_path)]
    assert [fault.split(";")[0] for fault in faults] == [
        "There is no speech of the name a, and no ending that batch knows on a.sesx",
        "There is no performance of the name b, and no ending that batch knows on b.braw",
        "There is no speech of the name c, since c.csv and c.mov are performances by their endings",
    ]
    rows = "speech,performance\na.sesx,b.braw\n"
    (pair,) = read_pairs(table(tmp_path, rows))
    assert not pair.fault, "what the sentence advises works"


def test_a_row_may_ask_anything_and_inherits_the_rest(tmp_path: Path):
    path = table(
        tmp_path,
        "Speech,performance,Name,use,identity,seed,style strength,head,fit,second\n"
        "a.wav,smile.mp4,,,,,,,,\n"
        "\n"
        "b.wav,smile.mp4,take two,Stylize,clara,7,1.5,reference,hold,smile.mp4\n",
    )
    options = PairOptions(seed=3, controls=Controls(upper=0.5))
    plain, own = read_pairs(path, options)
    assert plain.options == options and plain.name == "a" and plain.speech == tmp_path / "a.wav"
    assert (own.place, own.name) == ("row 4", "take_two")
    assert own.options == PairOptions(
        use="stylize",
        identity="clara",
        seed=7,
        controls=Controls(upper=0.5, style_strength=1.5, head="reference", fit="hold"),
        second=tmp_path / "smile.mp4",
    )


@pytest.mark.parametrize(
    ("name", "separator", "encoding"),
    [("x.csv", ";", "utf-8-sig"), ("x.tsv", "\t", "utf-8"), ("x.CSV", "\t", "utf-8")],
)
def test_spreadsheets_of_any_country_read(name: str, separator: str, encoding: str, tmp_path: Path):
    text = "speech,performance,name\r\na.wav,smile.mp4,Ærø\r\n".replace(",", separator)
    (pair,) = read_pairs(table(tmp_path, text, name, encoding))
    assert pair.name == "Ærø" and not pair.fault


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("c.wav,smile.mp4,,,", r"There is no file .*c\.wav"),
        ("a.wav,,,,", "There is no performance"),
        (",smile.mp4,,,", "There is no speech"),
        ("a.wav,smile.mp4,sing,,", "Got use 'sing'; choose one of stylize, localize"),
        ("a.wav,smile.mp4,,-1,", "Got seed '-1'"),
        ("a.wav,smile.mp4,,1.5,", r"Got seed '1\.5'"),
        ("a.wav,smile.mp4,,,3", "from 0 to 2"),
        ("a.wav,smile.mp4,,,lots", "from 0 to 2"),
        ("a.wav,smile.mp4,,,1,more", "more cells than"),
    ],
)
def test_a_bad_row_is_told_by_its_number_and_the_rest_stays(row: str, says: str, tmp_path: Path):
    text = f"speech,performance,use,seed,upper\na.wav,smile.mp4,,,\n{row}\nb.wav,smile.mp4,,,\n"
    first, bad, last = read_pairs(table(tmp_path, text))
    assert not first.fault and not last.fault and bad.place == "row 3"
    with pytest.raises(InputError, match=says):
        raise InputError(bad.fault)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speech,performance,emotion\na.wav,smile.mp4,joy\n", "'emotion' .* known are speech"),
        ("speech,performance,speling\na.wav,smile.mp4,1\n", "'speling'"),
        ("speech,performance,idenity\na.wav,smile.mp4,1\n", "did you mean identity"),
        ("speech,video\na.wav,smile.mp4\n", "'video'"),
        ("speech\na.wav\n", "no column performance"),
        ("speech,speech,performance\na.wav,a.wav,smile.mp4\n", "speech twice"),
        ("a.wav,smile.mp4\n", r"a_wav"),
        ("speech,performance\n , \n", "no rows"),
        ("", "no column speech"),
        ('speech,performance\n"a.wav,smile.mp4\n', "UTF-8"),
        ("speech,performance\na\0.wav,smile.mp4\n", ""),
    ],
)
def test_tables_that_are_no_use(text: str, says: str, tmp_path: Path):
    path = table(tmp_path, text)
    if "\0" in text:
        assert all(pair.fault for pair in read_pairs(path))
        return
    with pytest.raises(InputError, match=says):
        read_pairs(path)


def test_lists_that_are_no_use(tmp_path: Path):
    with pytest.raises(InputError, match="no pairs in"):
        read_pairs(tmp_path)
    with pytest.raises(InputError, match="CSV UTF-8"):
        read_pairs(touched(tmp_path, "jobs.xlsx") / "jobs.xlsx")
    with pytest.raises(InputError, match=r"There is no .*absent\.csv"):
        read_pairs(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="UTF-8"):
        read_pairs(table(tmp_path, "speech,performance,name\na,b,é\n", encoding="utf-16"))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc_passwd"),
        ("/", "pair"),
        (" ..", "pair"),
        ("<img src=x onerror=alert(1)>", "img_src_x_onerror_alert_1"),
        ("C:\\take 1", "C_take_1"),
        ("シーン1", "シーン1"),
        ("x" * 300, "x" * 80),
    ],
)
def test_names_lead_nowhere(name: str, safe: str):
    assert safe_name(name) == safe


def test_equal_names_are_told_apart(tmp_path: Path):
    rows = "".join(f"a.wav,smile.mp4,{name}\n" for name in ("x", "X", "../x", "x-2", "report.csv"))
    pairs = read_pairs(table(tmp_path, f"speech,performance,name\n{rows}"))
    assert [pair.name for pair in pairs] == ["x", "X-2", "x-3", "x-2-2", "report.csv-2"]

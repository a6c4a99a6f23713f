"""The command line: what may be typed after a verb, what help says, and what is refused."""

import ast
import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from handnet import messages, run_study
from handnet.command import Group, Truth, Whole, command, main, option, run
from handnet.messages import Refusal, through


@pytest.fixture(autouse=True)
def _from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDNET_DOOR")


heard: dict = {}
toys = Group("toys")


@command("walk", left="it may be walked again", group=toys)
@option("--set", multiple=True)
@option("--missing")
@option("--data", metavar="FILE", help="a table")
@option("--ideal", type=Truth(), help="search anew")
@option("--split-seed", type=Whole(0), default="7", help="of the split")
def walk(**options: object) -> int | None:
    """Walk a toy through its room.

    It walks until it is stopped, and says at every step where it is and how far it has come since.

      handnet walk --split-seed 3                  another seed
      handnet walk --data my.csv --ideal           a table of your own
    """
    heard.clear()
    heard.update(options)
    if fault := heard.get("data") in FAULTS and FAULTS[heard["data"]]:
        raise fault
    return 1 if heard["data"] == "one" else None


@command("stop", group=toys)
@option("--case", bare=True)
def stop(**_: object) -> None:
    """Stop a toy."""
    raise Refusal(f"it stands; {messages.command('walk', data='x')} sets it going.")


FAULTS = {
    "refused": Refusal("the toy is asleep.", 75),
    "no extra": ModuleNotFoundError("No module named 'optuna'", name="optuna"),
    "no keras": ModuleNotFoundError("No module named 'keras.x'", name="keras.x"),
    "broken": RuntimeError("spring\nhttp://me:secret@there"),
    "read-only": OSError(30, "Read-only file system", "toy.db"),
    "full": OSError(28, "No space left on device", "toy.db"),
}


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        (["IDEAL=1"], "ideal", True),
        (["IDEAL=0"], "ideal", False),
        (["IDEAL="], "ideal", False),
        (["--ideal"], "ideal", True),
        (["--ideal", "0"], "ideal", False),
        (["--ideal", "DATA=x"], "data", "x"),
        ([], "ideal", False),
        ([], "missing", None),
        (["MISSING="], "missing", ""),
        (["SPLIT_SEED=9"], "split_seed", 9),
        (["--split-seed", "9"], "split_seed", 9),
        (["SPLIT_SEED=9", "SPLIT_SEED=8"], "split_seed", 8),
        (["a.b=1", "a.b.c=[2, 3]"], "set", ("a.b=1", "a.b.c=[2, 3]")),
        (["--set", "a.b=1", "--set=a.c=2"], "set", ("a.b=1", "a.c=2")),
        (['DATA=my table\'s $HOME "1".csv'], "data", 'my table\'s $HOME "1".csv'),
        (["--data", "a=b.csv"], "data", "a=b.csv"),
        (["HELP=0"], "data", None),
        (["DEBUG="], "data", None),
    ],
)
def test_what_make_passes_is_an_option(typed: list[str], name: str, value: object) -> None:
    assert main(toys, ["walk", *typed]) == 0
    assert heard[name] == value


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        (["wlk"], 2, "wlk is no verb of toys: did you mean walk?"),
        (["walk", "--dat", "x"], 2, "--dat is not an option of this command: did you mean --data?"),
        (["walk", "DAAT=x"], 2, "--daat is not an option of this command: did you mean --data?"),
        (["walk", "203"], 2, "203 is not an option of this command: known are --set,"),
        (["walk", "--", "--data", "x"], 2, "-- ends the options, and nothing may follow it here"),
        (["stop", "P019"], 2, "P019 stands alone; say what it is: --case P019."),
        (["walk", "--mlruns", __file__], 2, f"--mlruns wants a folder, but {__file__} is a file."),
        (["walk", "--mlruns", ""], 2, "--mlruns wants a folder, but is empty; leave it out for mlruns."),
        (["walk", "MLRUNS="], 2, "--mlruns wants a folder, but is empty; leave it out for mlruns."),
        (
            ["walk", "--mlruns", "x" * 300],
            2,
            "xxx cannot be used (File name too long); choose another with --mlruns.",
        ),
        (["walk", "--data"], 2, "--data wants a value."),
        (["walk", "--split-seed", "9" * 4300], 2, f"from 0 to 100000, but is '{'9' * 60}...'."),
        (["walk", "--ideal=" + "9" * 5000], 2, f"--ideal: expected 0 or 1, but got '{'9' * 60}...'."),
        (["9" * 5000], 2, f"handnet: {'9' * 60}... is no verb of toys"),
        (["walk", "--ideal=x"], 2, "--ideal: expected 0 or 1, but got 'x'."),
        (
            ["walk", "--split-seed=-1"],
            2,
            "--split-seed must be a whole number from 0 to 100000, but is '-1'.",
        ),
        (
            ["walk", "--debug=1"],
            2,
            "Option '--debug' does not take a value; --help shows what is understood.",
        ),
        (["walk", "DATA=refused"], 75, "the toy is asleep."),
        (
            ["walk", "DATA=no extra"],
            2,
            'optuna, which is not installed; pip install "handnet[study]" adds it.',
        ),
        (
            ["walk", "DATA=no keras"],
            2,
            'keras, which is not installed; pip install "handnet[keras]" adds it.',
        ),
        (
            ["walk", "DATA=broken"],
            1,
            "RuntimeError: spring http://***@there; it may be walked again. --debug",
        ),
        (
            ["walk", "DATA=read-only"],
            1,
            "the disk cannot be written (Read-only file system: toy.db); it may be walked again.",
        ),
        (
            ["walk", "DATA=full"],
            1,
            "the disk cannot be written (No space left on device: toy.db); make room: it",
        ),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    typed: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(toys, typed) == code
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("handnet: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_from_make_it_is_said_in_makes_words(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_DOOR", "make")
    assert main(toys, ["walk", "TRAIL=x"]) == 2
    assert main(toys, ["walk", "SPLIT_SED=3"]) == 2
    assert main(toys, ["walk", "SPLIT_SEED=x"]) == 2
    said = capsys.readouterr().err
    assert "TRAIL is not a setting of this command: known are SET," in said
    assert "SPLIT_SED is not a setting of this command: did you mean SPLIT_SEED?" in said
    assert "SPLIT_SEED must be a whole number" in said
    assert main(toys, ["walk", "HELP=1"]) == 0
    shown = capsys.readouterr().out
    assert "Usage: make walk" in shown
    assert "make walk DATA=my.csv IDEAL=1" in shown
    assert "SPLIT_SEED=N" in shown
    assert "HELP=1" in shown
    assert "--" not in shown


@pytest.mark.parametrize(
    ("door", "says"),
    [
        ("make", "make walk DATA=x MLRUNS='my folder'"),
        ("shell", "handnet walk --data x --mlruns 'my folder'"),
    ],
)
def test_a_command_in_a_message_is_for_the_folder_in_use(
    door: str, says: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_DOOR", door)
    assert main(toys, ["stop", "--mlruns", "my folder"]) == 2
    assert says in capsys.readouterr().err
    assert main(toys, ["stop"]) == 2
    assert "my folder" not in capsys.readouterr().err


@pytest.mark.parametrize("typed", [["--help"], ["-h"], ["help"], ["help", "walk"]])
def test_help_is_shown_however_it_is_asked_for(typed: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(toys, typed) == 0
    shown = capsys.readouterr().out
    assert ("Usage: handnet walk" if "walk" in typed else "Usage: toys") in shown


@pytest.mark.parametrize("typed", [["--help"], ["-h"], ["HELP=1"], ["help=1", "DATA=refused"]])
def test_help_teaches(typed: list[str], capsys: pytest.CaptureFixture) -> None:
    heard.clear()
    assert main(toys, ["walk", *typed]) == 0
    shown = capsys.readouterr().out
    assert "Usage: handnet walk [options]" in shown
    assert "handnet walk --data my.csv --ideal" in shown
    assert "--split-seed N" in shown
    assert not heard
    assert max(map(len, shown.splitlines())) <= 80


def test_without_a_verb_all_are_shown(capsys: pytest.CaptureFixture) -> None:
    assert main(toys, []) == 2
    assert "walk  Walk a toy through its room." in capsys.readouterr().err


@pytest.mark.parametrize("door", ["make", "shell"])
def test_a_command_in_a_message_can_be_typed(door: messages.Door) -> None:
    """What `messages.command` writes for a reader comes back as the same options."""
    given = {"data": "my table's $HOME.csv", "split-seed": 9, "ideal": True, "a.b": "1"}
    with through(door):
        text = messages.command("walk", **given)
    if door == "make":
        text = text.replace("$$", "$")  # as make reads it
    _, *words = shlex.split(text)
    assert main(toys, words) == 0
    assert (heard["data"], heard["split_seed"], heard["ideal"]) == (given["data"], 9, True)
    assert heard["set"] == ("a.b=1",)


def test_from_python_a_message_names_the_function() -> None:
    assert messages.command("study", name="x", data="my.csv", trials=3) == (
        'run_study(name="x", data="my.csv", trials=3)'
    )
    assert messages.option("mlruns", "") == "home="
    assert set(messages.ARGUMENTS.values()) <= set(inspect.signature(run_study).parameters)
    assert messages.command("ui") == "handnet ui"  # what Python has no function for
    with messages.stored_in("elsewhere"):
        assert messages.command("study", name="x") == 'run_study(name="x", home="elsewhere")'
        assert messages.command("ui") == "handnet ui --mlruns elsewhere"


SOURCES = sorted(Path(messages.__file__).parent.rglob("*.py"))
ENVIRONMENT = {"KERAS_BACKEND=", "LC_ALL=", "_HANDNET_COMPLETE=", "KEY=", "PARAMETER="}
VERBS = "study|try|case|ui|report|walk|claims|published|witness|bench|setup|backup|clean|simulate"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_message_names_a_command_by_itself(path: Path) -> None:
    """`messages.command` does, so that it is right from make, from the shell and from Python."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node)
    }
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]
    words = [
        found[0] for text in texts for found in re.finditer(rf"make ({VERBS})\b|\b[A-Z_]{{2,}}=", str(text))
    ]
    if path.stem == "engine":
        words.remove("make setup")  # of the checkout alone, and says so
        words.remove("DEVICE=")
    assert not set(words) - ENVIRONMENT


@pytest.mark.parametrize(("verb", "answer"), [("walk", "plain,--split-seed"), ("frob", "")])
def test_a_shell_is_told_how_a_word_can_go_on(
    verb: str, answer: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "_TOYS_COMPLETE": "bash_complete",
        "COMP_WORDS": f"toys {verb} --sp",
        "COMP_CWORD": "2",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        run(toys)
    assert end.value.code == 0
    assert capsys.readouterr().out.strip() == answer


def test_nothing_heavy_is_imported_to_read_a_command() -> None:
    code = "import sys, handnet.command; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not set(loaded.split()) & {"mlflow", "optuna", "pydantic", "numpy", "pandas", "sklearn", "rich"}

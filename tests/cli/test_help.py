import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from typer.core import TyperOption

from prober import __version__, cli
from prober.__main__ import main
from prober.cli import import_command
from prober.rules import exit_status
from tests.cli.commands import OFFLINE, invoke

COMMANDS = {name: import_command(name) for name in cli.COMMANDS}


def options_of(command: str) -> Iterator[TyperOption]:
    for parameter in COMMANDS[command].params:
        if isinstance(parameter, TyperOption):
            yield parameter


def long_name(option: TyperOption) -> str:
    return next(name for name in option.opts if name.startswith("--"))


def test_the_console_script_is_the_command() -> None:
    """The one in pyproject.toml; an installed one may be older."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    module, _, name = project["project"]["scripts"]["probe"].partition(":")
    assert getattr(import_module(module), name) is main


def test_alone_it_shows_its_help() -> None:
    alone = invoke()
    assert alone.out.rstrip() == invoke("--help").out.rstrip()
    assert alone.status == exit_status.SOME_INVALID


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag: str) -> None:
    ended = invoke(flag)

    assert ended.status == 0
    assert {"check", "scan", "demo", "doctor"} <= set(COMMANDS)
    for name, command in COMMANDS.items():
        assert f" {name} " in ended.out
        assert command.help


def test_the_help_has_examples_and_fits_on_a_page() -> None:
    assert len(invoke("--help").out.splitlines()) <= 60
    examples = re.findall(r"`(probe [^`]+)`", cli.probe.__doc__ or "")
    assert len(examples) > 5
    for _, *words in map(shlex.split, examples):
        command = next((name for name in words[:1] if name in COMMANDS), "check")
        known = {flag for option in options_of(command) for flag in option.opts}
        assert {word for word in words if word.startswith("-")} <= {*known, "--help"}


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("scan", "FILE"),
        ("check", "DOMAIN..."),
        ("accept", "[DOMAIN]"),
        ("history", "[DOMAIN...]"),
        ("report", "[RESULTS...]"),
        ("diff", "[OLD NEW]"),
    ],
)
def test_the_usage_says_which_arguments_are_needed_and_which_may_be_several(
    command: str, arguments: str
) -> None:
    assert f"Usage: probe {command} [OPTIONS] {arguments} " in invoke(command, "--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_names_every_option_within_80_columns(command: str) -> None:
    ended = invoke(command, "--help")

    assert (ended.status, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 80
    for option in options_of(command):
        assert all(f" {name} " in ended.out for name in option.opts)
        assert f"{option.envvar}]" in ended.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_and_can_come_from_the_environment(command: str) -> None:
    for option in options_of(command):
        assert option.help is not None
        assert option.help.endswith(".")
        name = long_name(option)[2:].replace("-", "_").upper()
        assert option.envvar in (f"PROBE_{name}", f"PROBE_{command.upper()}_{name}")


def test_a_variable_means_the_same_in_every_command() -> None:
    meanings: dict[str, set[str | None]] = {}
    for command in COMMANDS:
        for option in options_of(command):
            meanings.setdefault(str(option.envvar), set()).add(option.help)
    assert {name: helps for name, helps in meanings.items() if len(helps) > 1} == {}


@pytest.mark.parametrize("option", ["--pace", "--concurrency", "--busy-tries", "--no-share"])
def test_doctor_offers_no_option_that_changes_nothing_there(option: str) -> None:
    assert option in invoke("check", "--help").out
    assert option not in invoke("doctor", "--help").out


def test_the_help_tells_each_exit_status() -> None:
    told = invoke("check", "--help").out
    for name, status in vars(exit_status).items():
        if name.isupper() and not name.startswith(("BLIND_", "_")):
            assert re.search(rf"\b{status}\b", told), name


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_has_the_first_paragraph_of_the_help_of_each(command: str) -> None:
    first, *_ = (COMMANDS[command].help or "").split("\n\n")
    assert " ".join(first.split()) == cli.COMMANDS[command]


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_shows_no_type_of_python(command: str | None) -> None:
    shown = invoke(*filter(None, [command]), "--help").out
    assert re.findall(r"<(?:bool|str|list|int|float|path|function)[^>]*>", shown) == []


def test_version() -> None:
    ended = invoke("--version")
    assert (ended.status, ended.out, ended.err) == (0, f"probe {__version__}\n", "")


@pytest.mark.parametrize(
    "options", [[], ["-v"], ["--per-endpoint", "-f", "csv"], ["-f", "jsonl"], ["--"]]
)
def test_probe_domain_is_probe_check_domain(options: list[str]) -> None:
    args = [*OFFLINE, *options, "a.test", "b..test"]
    short, whole = invoke(*args), invoke("check", *args)

    assert timeless(short.out) == timeless(whole.out)
    assert (short.status, short.err) == (whole.status, whole.err)
    assert "a.test" in short.out
    assert "b..test" in short.out


def timeless(text: str) -> str:
    return re.sub(r"\bin\s+[0-9.]+\s+s\b|\d{4}-\d\d-\d\dT[0-9:]+Z|_ms\":\d+", "", text)


def test_a_domain_may_be_called_like_a_command() -> None:
    assert invoke("check", *OFFLINE, "scan").out.startswith("scan: UNKNOWN")


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["scna"], "no such command: scna; did you mean scan?"),
        (["Scan", "list.txt"], "no such command: Scan; did you mean scan?"),
        (["doctr"], "no such command: doctr; did you mean doctor?"),
        (["help"], "no such command: help; did you mean --help?"),
        (["xyzzy"], "no such command: xyzzy (to probe a domain without a dot: probe check xyzzy)"),
        (["a.test", "scna"], "no such command: scna; did you mean scan?"),
        (["-q", "scan", "list.txt"], "the command comes first: probe scan"),
        (["-"], "stdin is not a domain; did you mean: probe scan -"),
        (["check", "-"], "stdin is not a domain; did you mean: probe scan -"),
        (["scan", "example.com"], "no file 'example.com'; to probe that domain: probe example.com"),
    ],
)
def test_a_word_that_is_no_domain_is_refused_with_a_hint(args: list[str], complaint: str) -> None:
    ended = invoke(*args)
    assert (ended.status, ended.out) == (exit_status.SOME_INVALID, "")
    assert complaint in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("name", ["partners", "partners.csv", "a list.txt", "a.test"])
@pytest.mark.parametrize("command", [[], ["check"]])
def test_a_file_is_no_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("a.test\n")
    ended = invoke(*command, *OFFLINE, name)
    assert (ended.status, ended.out) == (exit_status.SOME_INVALID, "")
    assert ended.err == (
        f"probe: {name!r} is a file, and it is not a domain; "
        f"did you mean: probe scan {shlex.quote(name)}\n"
    )


@pytest.mark.parametrize("name", ["example.com", "a.test."])
def test_a_domain_beside_a_file_of_its_name_is_probed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name.removesuffix(".")).write_text("")
    assert "UNKNOWN" in invoke(*OFFLINE, name).out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("probe sc", ["scan", "schema"]),
        ("probe scan --resu", ["--resume"]),
        ("probe check --format j", ["json", "jsonl"]),
        ("probe a.test --form", ["--format"]),
    ],
)
def test_a_shell_completes_what_is_typed(typed: str, offered: list[str]) -> None:
    words = len(typed.split()) - 1
    asked = {"_PROBE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(words)}
    assert invoke(env=asked).out.split() == offered


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["check"], "Missing argument 'DOMAIN'"),
        (["scan"], "Missing argument 'FILE'"),
        (["scan", "a", "b"], "unexpected extra argument"),
        (["check", "--nosuch", "a.test"], "No such option: --nosuch"),
        (["--nosuch", "a.test"], "No such option: --nosuch"),
    ],
)
def test_wrong_usage_is_told_on_stderr(args: list[str], complaint: str) -> None:
    ended = invoke(*args)

    assert (ended.status, ended.out) == (exit_status.SOME_INVALID, "")
    assert complaint in ended.err
    assert "probe check -h" in ended.err or "probe scan -h" in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_ranges_in_words(command: str) -> None:
    """typer's own words are ``1<=x<=20``. Ours replace a private method of it."""
    out = invoke(command, "--help").out
    assert not re.search(r"[<>]=|=[<>]", out)
    assert command != "check" or "[from 1 to 65535]" in out

"""What is imported for what: start-up is quick where little is imported. No time is measured."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import prober
from prober.cli import COMMANDS
from prober.report.json_ import encode_report
from tests.cli.commands import environment
from tests.report import samples

SLOW = {"aiohttp", "asyncio", "cryptography", "dns", "msgspec", "OpenSSL", "pydantic", "uvloop"}
SHOW = "import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"


def imported_by(code: str, *args: str) -> set[str]:
    """The modules that a process has imported once it has run *code* with the arguments *args*."""
    done = run(f"try:\n    {code}\nexcept SystemExit: pass\n{SHOW}", args)
    return set(json.loads(done.stderr))


def run(code: str, args: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *args]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)


def test_the_package_imports_nothing_before_it_is_used() -> None:
    imported = imported_by("import prober")
    assert {name for name in imported if name.startswith("prober")} == {"prober", "prober.version"}
    assert imported & {*SLOW, "typer", "rich"} == set()


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_and_version_import_no_command(option: str) -> None:
    imported = imported_by("from prober.cli import main; main()", option)
    ours = {name for name in imported if name.startswith("prober")}
    assert ours == {"prober", "prober.cli", "prober.version"}
    assert imported & SLOW == set()


def test_the_version_is_shown_without_what_draws_the_help() -> None:
    assert "rich" not in imported_by("from prober.cli import main; main()", "--version")


@pytest.mark.parametrize(
    ("args", "collects"),
    [
        pytest.param(("--help",), False, id="help"),
        pytest.param(("explain", "dh-weak"), True, id="a-command"),
    ],
)
def test_start_up_collects_no_garbage_and_a_command_does(
    args: tuple[str, ...], collects: bool
) -> None:
    code = "import gc\nfrom prober.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    done = run(f"{code}import sys; print(gc.isenabled(), file=sys.stderr)", args)
    assert done.stderr.split() == [str(collects)]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_imports_no_other_and_nothing_that_few_runs_need(command: str) -> None:
    imported = imported_by(f"from prober.cli import import_command; import_command({command!r})")
    commands = {name for name in COMMANDS if f"prober.cli.{name}" in imported}
    assert commands == {command}
    few = {"aiohttp", "alembic", "distributed", "prober.lab", "psycopg", "sqlalchemy", "trustme"}
    few |= {"jinja2", "xlsxwriter"}
    assert imported & few == set()


@pytest.mark.parametrize(
    ("extension", "needed"),
    [
        *((each, set()) for each in ("txt", "json", "jsonl", "csv")),
        ("html", {"jinja2"}),
        ("xlsx", {"xlsxwriter"}),
    ],
)
def test_a_format_imports_only_what_it_needs(
    tmp_path: Path, extension: str, needed: set[str]
) -> None:
    results = tmp_path / "results.jsonl"
    results.write_bytes(encode_report(samples.fails()) + b"\n")
    target = str(tmp_path / f"out.{extension}")
    imported = imported_by(
        "from prober.cli import main; main()", "diff", *[str(results)] * 2, "-o", target, "-q"
    )
    assert imported & {"jinja2", "xlsxwriter", "sqlalchemy"} == needed
    assert Path(target).exists()


def test_every_name_of_the_package_is_there() -> None:
    for name in prober.__all__:
        assert getattr(prober, name) is not None
        assert name in dir(prober)
    with pytest.raises(AttributeError, match="module 'prober' has no attribute 'nothing'"):
        _ = prober.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "before",
    ["", "import prober.scan", "from prober.scan import Ending", "from prober import scan"],
)
def test_scan_is_the_function_also_where_the_module_of_that_name_is_imported(before: str) -> None:
    print_it = "from prober import scan; import prober; print(scan.__module__, prober.scan is scan)"
    assert run(f"{before}\n{print_it}").stdout == "prober.scan True\n"

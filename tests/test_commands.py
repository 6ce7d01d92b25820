"""What `layering.commands` promises, on real processes."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from layering.commands import Completed, run
from layering.errors import InputError, UnavailableError

PYTHON = sys.executable


def python(code: str, *arguments: str, stdin: bytes | None = None) -> Completed:
    return run([PYTHON, "-c", code, *arguments], timeout_seconds=30, stdin=stdin)


def test_gives_back_what_it_said_and_how_it_ended() -> None:
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert not done.succeeded
    assert done.message == "err"


@pytest.mark.parametrize(
    "stdin",
    [pytest.param(b"a\0b\xff", id="odd bytes"), pytest.param(b"x" * 1_000_000, id="more than a pipe holds")],
)
def test_input_arrives_whole(stdin: bytes) -> None:
    assert python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", stdin=stdin).stdout == stdin


def test_no_more_is_kept_than_was_asked_for_and_the_program_ends_as_it_would() -> None:
    code = "import sys; sys.stdout.write('o' * 300_000); sys.stderr.write('e' * 300_000); sys.exit(3)"
    done = run([PYTHON, "-c", code], timeout_seconds=30, kept_bytes_max=100_001)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"o" * 100_001, b"e" * 100_001)


def test_without_input_the_program_reads_nothing() -> None:
    assert python("import sys; print(len(sys.stdin.read()))").stdout == b"0\n"


def test_a_program_that_does_not_read_its_input_is_no_failure() -> None:
    assert python("pass", stdin=b"x" * 1_000_000).succeeded


def test_arguments_are_passed_as_they_are() -> None:
    assert python("import sys; print(sys.argv[1])", "$(id) `id` * ; \" '").stdout == b"$(id) `id` * ; \" '\n"


def test_variables_are_added_to_our_environment() -> None:
    code = "import os; print(os.environ['ADDED'], 'PATH' in os.environ)"
    done = run([PYTHON, "-c", code], env={"ADDED": "yes"}, timeout_seconds=30)
    assert done.stdout == b"yes True\n"


def test_a_variable_can_be_taken_out_of_the_environment() -> None:
    done = run([PYTHON, "-c", "import os; print('HOME' in os.environ)"], env={"HOME": None}, timeout_seconds=30)
    assert done.stdout == b"False\n"


def test_each_line_of_stderr_is_told() -> None:
    told: list[str] = []
    code = "import sys; sys.stderr.write('one\\ntwo\\r\\nlast')"
    done = run([PYTHON, "-c", code], timeout_seconds=30, say=told.append)
    assert told == ["one", "two", "last"]
    assert done.stderr == b"one\ntwo\r\nlast"


def test_a_fault_of_the_listener_reaches_the_caller() -> None:
    def say(line: str) -> None:
        raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="the terminal is gone"):
        run([PYTHON, "-c", "import sys; sys.stderr.write('x\\n' * 100000)"], timeout_seconds=30, say=say)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["no-such-program-at-all"], "no-such-program-at-all is not on this machine", id="missing"),
        pytest.param(["/"], "/ cannot be run", id="a directory"),
        pytest.param([PYTHON, "-c", "\0"], "cannot be run: embedded null byte", id="a NUL in an argument"),
    ],
)
def test_a_program_that_cannot_be_run(argv: Sequence[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(argv, timeout_seconds=30)


def test_a_working_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a directory"):
        run([PYTHON, "-c", "pass"], cwd=tmp_path / "gone", timeout_seconds=30)


def test_after_the_time_limit_the_program_and_its_children_are_dead(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r} + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r})\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(UnavailableError, match=r"did not end within 10 s"):
        run([PYTHON, "-c", code], timeout_seconds=10)
    for pid in pids.read_text().split():
        assert _ends(int(pid))


def _ends(pid: int) -> bool:
    """Whether the process is gone, or a zombie that nobody in a container reaps; a signal needs a moment to arrive."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.05)
    return False

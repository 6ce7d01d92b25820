"""What becomes of a command whose reader is gone, whose stdout is closed, or whose disk is full: never a defect."""

import subprocess
import sys

import pytest

ROWS = [
    ("a full disk", ">/dev/full", 2, "No space left"),
    ("a closed stdout", ">&-", 0, ""),
    ("a reader that went away", "| true; exit ${PIPESTATUS[0]}", 141, ""),
]


@pytest.mark.parametrize(("where", "code", "message"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
@pytest.mark.parametrize(
    "program", ["watcher.cli schema", "pipeline.cli update-machineconfig {flags}"], ids=["watcher", "step"]
)
def test_trouble_with_stdout_is_not_a_defect(
    tmp_path_factory: pytest.TempPathFactory, program: str, where: str, code: int, message: str
) -> None:
    file = tmp_path_factory.mktemp("out") / "mc.yaml"
    flags = f"--file {file} --create --pool worker --image quay.io/a/b@sha256:{'a' * 64}"
    command = f"{sys.executable} -m {program.format(flags=flags)} {where}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    if code == 141 and done.returncode == 0:
        pytest.skip("the pipe took it all before its reader left")
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "defect" not in done.stderr


@pytest.mark.parametrize("closed", ["2>&-", "2> >(exec true; )"], ids=["closed", "its reader went away"])
def test_a_note_that_nobody_reads_stops_no_work_and_is_no_answer(closed: str) -> None:
    program = (
        "import logging, sys, time\n"
        "from layering.outcome import answer, outcome, say\n"
        "def work():\n"
        "    time.sleep(0.2)\n"
        "    say('a note')\n"
        "    logging.getLogger('layerwatch.x').warning('a warning')\n"
        "    answer('done')\n"
        "    return 0\n"
        "sys.exit(outcome('step', work))\n"
    )
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {closed}', sys.executable, program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done")

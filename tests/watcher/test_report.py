"""What a table shows of texts that are not ours: an image's version label, a node's complaint."""

from layering.reasons import Reason
from watcher.decision import Decision, Kind
from watcher.report import Verdict, as_table
from watcher.world import Failure, Subject


def test_a_table_commands_no_terminal_and_shows_no_password() -> None:
    message = "from 9.6\x1b[2J at https://joe:secret@registry.example.com\nsecond line"
    verdict = Verdict(
        subject=Subject(image="worker-os", cluster="prod", pool="worker"),
        seen=Failure(reason=Reason.POOL_DEGRADED, message=message, next_step="look\r", temporary=False),
        decision=Decision(kind=Kind.BLOCKED, reason=Reason.POOL_DEGRADED, message=message, next_step="look\r"),
    )
    assert as_table([verdict]).splitlines()[2:] == [
        "    from 9.6 [2J at https://***@registry.example.com",
        "    second line",
        "    next: look ",
    ]

"""`layerwatch`: the subcommands, the exit-code table, and nothing else. Modules are imported when they are needed."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from layering.outcome import Parser, add_version, answer, end_on_sigterm, outcome
from layering.variableflags import add_flags_from, with_flags_from

_PROGRAM = "layerwatch"
_DESCRIPTION = "Keeps layered CoreOS images on the base their OpenShift cluster runs."
_EPILOG = """\
examples:
  layerwatch demo                        the whole job on this machine, told step by step
  layerwatch validate -c layerwatch.yaml
  layerwatch check -c layerwatch.yaml    what would be done, and why; acts on nothing
  layerwatch status -c layerwatch.yaml   every cluster, pool and image
  layerwatch run -c layerwatch.yaml --once

exit codes: 0 done, 1 a defect of ours, 2 bad input, 3 refused, 4 try again, 5 not what it claims, 6 conflict,
7 a check said no; `check` also has 10 (something to do) and 11 (something blocked or unknown), `run --once` has 11 too;
`status` and `explain` only tell, and end with 0 whatever they find."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns the exit code; never raises for what a user can cause."""
    parser, words = _parser(), list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["run"]:
        words = ["run", *with_flags_from(_subparser(parser, "run"), words[1:], os.environ)]
    arguments = parser.parse_args(words)
    end_on_sigterm()  # the daemon and the registry put their own in its place
    return outcome(_PROGRAM, lambda: int(arguments.command(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=_PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_version(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = _add(commands, "demo", "the whole job on embedded parts, told step by step", _demo)
    demo.add_argument("--dir", type=Path, metavar="DIR", help="work in this empty directory, and keep it")

    validate = _add(commands, "validate", "every fault of a configuration, each with its path", _validate)
    _add_config(validate)
    _add_output(validate)

    _add(commands, "schema", "the JSON schema of the configuration", _schema)

    check = _add(commands, "check", "observe and decide, act on nothing", _check)
    _add_config(check)
    _add_output(check)

    status = _add(commands, "status", "clusters, pools, images: their base, how far behind, what is under way", _status)
    _add_config(status)
    _add_output(status)

    explain = _add(commands, "explain", "why this image was, or was not, rebuilt: each fact with its source", _explain)
    explain.add_argument("image", metavar="IMAGE", help="its name in the configuration")
    _add_config(explain)
    _add_output(explain)

    run = _add(commands, "run", "the daemon; --once: one tick", _run)
    _add_config(run)
    _add_output(run)
    add_flags_from(run)
    from watcher.flags import add_run_arguments

    add_run_arguments(run)

    registry = _add(commands, "registry", "the embedded registry by itself, for trying and testing", _registry)
    from watcher.serve_registry import add_arguments

    add_arguments(registry)
    return parser


def _subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return cast(argparse.ArgumentParser, commands.choices[name])


def _add(
    commands: "argparse._SubParsersAction[Parser]",
    name: str,
    summary: str,
    command: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.set_defaults(command=command)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("layerwatch.yaml"),
        help="the configuration (default: layerwatch.yaml)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", choices=["table", "json"], default="table", help="for people, or for programs")


def _demo(arguments: argparse.Namespace) -> int:
    from watcher.demo import demo

    return demo(arguments.dir)


def _validate(arguments: argparse.Namespace) -> int:
    from watcher.validate import validate

    return validate(arguments.config, json_output=arguments.output == "json")


def _schema(arguments: argparse.Namespace) -> int:
    import json

    from watcher.settings import schema

    answer(json.dumps(schema(), indent=2) + "\n", is_json=True)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from watcher.run import check

    return check(arguments.config, json_output=arguments.output == "json")


def _status(arguments: argparse.Namespace) -> int:
    from watcher.status import status

    return status(arguments.config, json_output=arguments.output == "json")


def _explain(arguments: argparse.Namespace) -> int:
    from watcher.explain import explain

    return explain(arguments.config, arguments.image, json_output=arguments.output == "json")


def _run(arguments: argparse.Namespace) -> int:
    from watcher.flags import run_flags
    from watcher.run import run_daemon, run_once

    flags = run_flags(arguments)
    if arguments.once:
        return run_once(arguments.config, dry_run=arguments.dry_run, json_output=arguments.output == "json")
    return run_daemon(arguments.config, flags)


def _registry(arguments: argparse.Namespace) -> int:
    from watcher.serve_registry import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""`layerwatch-step`: one subcommand per step, the exit-code table, and nothing else.

A step's module is imported when it is asked for, so that `--help` costs no more than Python itself.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from layering.errors import ExitCode
from layering.githubactions import is_runner
from layering.outcome import Parser, add_version, answer, end_on_sigterm, outcome, say
from layering.variableflags import add_flags_from, with_flags_from
from pipeline.registry_flags import add_registry_arguments

STEPS = {
    "resolve-base": "which base image should it be: out of a release payload, or behind a tag",
    "fetch-source": "fetch the commit of a RebuildRequest, apart from the build",
    "prepare-source": "pin the base in a Containerfile, and leave every other byte alone",
    "build-image": "build the layered image FROM the base, and push it",
    "check-image": "is it really FROM the base, complete, and an OS image",
    "compare-images": "what differs between two images",
    "sign-image": "sign the image, so that nodes and cosign can verify it",
    "update-machineconfig": "write the image's digest into a MachineConfig",
    "open-pull-request": "propose the digest in a git repository",
    "verify-rollout": "wait until every machine of a pool runs the image",
    "run": "all of them, from one RebuildRequest",
}
_PROGRAM = "layerwatch-step"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one step. Returns the exit code; never raises for what a user can cause."""
    words = list(sys.argv[1:] if argv is None else argv)
    step = words[0] if words else ""
    if step not in STEPS:
        _overview().parse_args(words or ["--help"])  # prints help or the fault, and exits
    end_on_sigterm()
    return outcome(f"{_PROGRAM} {step}", lambda: _run(step, words[1:]))


def _overview() -> argparse.ArgumentParser:
    width = max(map(len, STEPS))
    listing = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in STEPS.items())
    parser = Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} STEP [options]",
        description="The steps of a rebuild, each usable alone.",
        epilog=f"steps:\n{listing}\n\n{_PROGRAM} STEP --help has each step's options and an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    parser.add_argument("step", choices=STEPS, metavar="STEP", help="one of the steps below")
    return parser


def step_parser(step: str, module: ModuleType) -> argparse.ArgumentParser:
    """The parser of one step, flags that all steps have included."""
    from pipeline.outputs import keys

    parser = Parser(
        prog=f"{_PROGRAM} {step}",
        description=module.SUMMARY,
        epilog=f"outputs:\n  {', '.join(keys(module.Outputs))}\n\nexample:\n  {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--results-dir", type=Path, metavar="DIR", help="also write each output to a file of its name (Tekton results)"
    )
    parser.add_argument(
        "--result",
        action="append",
        default=[],
        metavar="KEY=FILE",
        help="also write one output to this file; KEY.KEY for a part of one (repeatable; a Tekton result)",
    )
    add_flags_from(parser)
    module.add_arguments(parser)
    add_registry_arguments(parser)  # every step takes them, so that a pipeline can pass the same flags to all
    return parser


def _run(step: str, words: Sequence[str]) -> int:
    module = importlib.import_module(f"pipeline.steps.{step.replace('-', '_')}")
    parser = step_parser(step, module)
    arguments = parser.parse_args(with_flags_from(parser, words, os.environ))
    outputs = module.run(module.read_inputs(arguments), say)
    from pipeline.outputs import as_object, deliver, dump

    document = as_object(outputs)
    deliver(document, arguments.results_dir, arguments.result)
    text = getattr(outputs, "text", None)
    answer(text or dump(document), is_json=not text)
    sys.stdout.flush()
    code = int(getattr(outputs, "exit_code", ExitCode.DONE))
    if is_runner():
        from pipeline.jobsummary import tell

        tell(parser.prog, document, code)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""The flags that say how a forge is reached, and how a proposal is presented there.

A token is never an argument: it comes from a file or the environment.
"""

import argparse
from collections.abc import Mapping

from layering.errors import InputError
from layering.forge.addresses import check_address
from layering.forge.credentials import is_token
from layering.forge.manners import Manners, check_name, check_reviewer, check_title
from layering.forge.settings import (
    API_PATHS,
    DEFAULT_URLS,
    MAX_WAIT_DEFAULT_SECONDS,
    TOKEN_VARIABLE,
    App,
    ForgeSettings,
    Kind,
    check_app_id,
    check_repository,
    kind_at,
    parse_author,
    public_forge,
)
from layering.forge.titles import check_no_draft
from pipeline.flag_value import flag_value
from pipeline.mounted import ca_file, given_path, given_text

_MAX_WAIT_LONGEST_SECONDS = 24 * 3600
_PATHS = ", ".join(API_PATHS.values())


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the forge is, as whom it is asked, and whose name our commits carry."""
    group = parser.add_argument_group("the forge")
    group.add_argument(
        "--forge-url",
        type=given_text,
        metavar="URL",
        help="its API as it documents it: https://HOST/api/v3 (GitHub Enterprise Server), …/api/v4, …/api/v1 "
        "(default: github.com, gitlab.com)",
    )
    group.add_argument(
        "--token-file",
        type=given_path,
        metavar="FILE",
        help=f"the token, and nothing else (default: ${TOKEN_VARIABLE}, then $GITHUB_TOKEN, $GITLAB_TOKEN or "
        "$GITEA_TOKEN)",
    )
    group.add_argument("--app-id", type=given_text, metavar="ID", help="GitHub App instead of a token: its id")
    group.add_argument("--app-key-file", type=given_path, metavar="FILE", help="the App's private key, PEM")
    group.add_argument("--installation-id", type=given_text, metavar="N", help="of the App (default: asked for)")
    group.add_argument(
        "--forge-ca-file",
        type=given_path,
        metavar="FILE",
        help="PEM certificates to trust besides the system's, or a directory with *.crt and *.pem",
    )
    group.add_argument(
        "--author", type=given_text, metavar="NAME <MAIL>", help="of the commit (default: layerwatch; an App's own)"
    )
    group.add_argument("--sign-off", action="store_true", help="add Signed-off-by to the commit")
    group.add_argument("--commit-prefix", type=given_text, metavar="TEXT", help="before the commit's subject")
    group.add_argument(
        "--max-wait",
        default=str(int(MAX_WAIT_DEFAULT_SECONDS)),
        metavar="SECONDS",
        help="how long to wait in all for a forge that fails for now (default: %(default)s)",
    )


def add_manners_arguments(parser: argparse.ArgumentParser) -> None:
    """What a pull request is dressed with."""
    group = parser.add_argument_group("the pull request")
    for name, metavar, text in (
        ("label", "LABEL", "a label; it is made when it is missing and the token may"),
        ("reviewer", "USER", "ask for a review; team:SLUG is a team"),
        ("assignee", "USER", "an assignee"),
    ):
        group.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=f"{text} (repeatable)")
    group.add_argument("--milestone", type=given_text, metavar="TITLE", help="a milestone that is open")
    group.add_argument("--draft", action="store_true", help="open it as a draft")
    group.add_argument(
        "--title",
        type=given_text,
        metavar="TEXT",
        help="its title; {cluster}, {pool}, {image}, {version} and {digest12} are filled in",
    )


def kind_of(name: str, url: str | None = None) -> Kind:
    """The kind that `--forge`, or a request, names; of a name of one's own, what the API's address tells. Raises
    InputError.
    """
    found = next((kind for kind in Kind if kind == name), None) or (kind_at(url) if url is not None else None)
    if found is None:
        raise InputError(
            f"{name!r} is not a forge, and no --forge-url tells which API it has",
            where="--forge",
            next_step=f"use {', '.join(Kind)}; or any name and a --forge-url that ends in {_PATHS}",
        )
    return found


def repository_of(name: str, kind: Kind) -> str:
    """The repository that `--repository` names. Raises InputError."""
    return flag_value("--repository", lambda text: check_repository(text, kind), name)


def forge_settings(arguments: argparse.Namespace, kind: Kind) -> ForgeSettings:
    """The forge that the flags describe. Raises InputError."""
    if kind is Kind.LOCAL:
        return _local(arguments)
    if arguments.token_file is not None and is_token(arguments.token_file.name):
        raise InputError("this is a token", where="--token-file", next_step="write it into a file, and name the file")
    settings = ForgeSettings(
        name=_one_line("--forge", arguments.forge),
        kind=kind,
        url=_url(arguments, kind),
        token_file=arguments.token_file,
        app=_app(arguments, kind),
        ca_file=ca_file(arguments.forge_ca_file, "--forge-ca-file") if arguments.forge_ca_file else None,
        author=flag_value("--author", parse_author, arguments.author) if arguments.author is not None else None,
        sign_off=arguments.sign_off,
        commit_prefix=_one_line("--commit-prefix", arguments.commit_prefix or ""),
        max_wait_seconds=_seconds(arguments.max_wait),
    )
    if settings.app is not None and settings.token_file is not None:
        raise InputError("--token-file and --app-id exclude each other", where="--app-id", next_step="keep one of them")
    return settings


def usual_forge(kind: Kind) -> ForgeSettings:
    """A forge at its public address, with a token from the environment. Raises InputError for one that has none."""
    found = public_forge(kind)
    if found is None:
        raise InputError(
            f"{kind} has no public address",
            where="request: proposals",
            next_step="leave the proposal out, and propose with open-pull-request --forge-url",
        )
    return found


def manners(arguments: argparse.Namespace, kind: Kind, values: Mapping[str, str]) -> Manners:
    """How the pull request is presented on a forge of that kind. `values` are of the title's placeholders, where they
    are known. Raises InputError.
    """

    def checked(pattern: str) -> str:
        return check_no_draft(check_title(pattern), kind, values)

    return Manners(
        labels=_names("--label", arguments.label),
        reviewers=tuple(
            flag_value("--reviewer", check_reviewer, name) for name in _names("--reviewer", arguments.reviewer)
        ),
        assignees=_names("--assignee", arguments.assignee),
        milestone=flag_value("--milestone", check_name, arguments.milestone) if arguments.milestone else None,
        draft=arguments.draft,
        draft_optional=True,
        title=flag_value("--title", checked, arguments.title) if arguments.title is not None else None,
    )


def _local(arguments: argparse.Namespace) -> ForgeSettings:
    """A repository on this machine has no address and no token. Raises InputError for a flag that it cannot heed."""
    for flag in ("forge_url", "token_file", "app_id", "app_key_file", "installation_id", "forge_ca_file"):
        if getattr(arguments, flag) is not None:
            raise _not_local(flag)
    for flag in ("sign_off", "commit_prefix"):
        if getattr(arguments, flag):
            raise _not_local(flag)
    author = flag_value("--author", parse_author, arguments.author) if arguments.author is not None else None
    return ForgeSettings(name=str(Kind.LOCAL), kind=Kind.LOCAL, author=author)


def _not_local(flag: str) -> InputError:
    return InputError(
        "a repository on this machine takes no such thing",
        where=f"--{flag.replace('_', '-')}",
        next_step="leave it out, or name another --forge",
    )


def _url(arguments: argparse.Namespace, kind: Kind) -> str:
    url = arguments.forge_url or DEFAULT_URLS.get(kind)
    if url is None:
        raise InputError(
            f"{kind} has no public address", where="--forge-url", next_step="give its API: https://HOST/api/v1"
        )
    return flag_value("--forge-url", lambda text: check_address(text, insecure=False).rstrip("/"), url)


def _app(arguments: argparse.Namespace, kind: Kind) -> App | None:
    given = [name for name in ("app_id", "app_key_file", "installation_id") if getattr(arguments, name) is not None]
    if not given:
        return None
    flag = f"--{given[0].replace('_', '-')}"
    if kind is not Kind.GITHUB:
        raise InputError("Apps are GitHub's", where=flag, next_step="leave it out, or use --forge github")
    if arguments.app_id is None or arguments.app_key_file is None:
        raise InputError("an App is an id and a key", where=flag, next_step="give both --app-id and --app-key-file")
    number = arguments.installation_id
    if number is not None and not (number.isascii() and number.isdecimal()):
        raise InputError("it is a number", where="--installation-id", next_step="leave it out to have it asked for")
    return App(
        id=flag_value("--app-id", check_app_id, arguments.app_id),
        private_key_file=arguments.app_key_file,
        installation=int(number) if number else None,
    )


def _names(flag: str, values: list[str]) -> tuple[str, ...]:
    """Without the empty ones, which Tekton and Actions give for what is not set."""
    return tuple(dict.fromkeys(flag_value(flag, check_name, value) for value in values if value.strip()))


def _one_line(flag: str, text: str) -> str:
    if not text.isprintable():
        raise InputError("it is one line of printable characters", where=flag)
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MAX_WAIT_LONGEST_SECONDS:
        raise InputError(f"{text!r} is no number of seconds up to a day", where="--max-wait")
    return seconds

"""Reads a configuration file: the document, the models, what only the whole can tell.

All faults are reported together, each with its path, its line and, for a misspelt key, the name that was meant.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from layering.suggestion import did_you_mean
from watcher.settings import Settings
from watcher.settings_cluster import IN_CLUSTER, FileAccess, KubeconfigAccess
from watcher.settings_document import read_document
from watcher.settings_faults import ConfigurationError, Fault, Location
from watcher.settings_fields import DIRECTORY
from watcher.settings_image import FollowedCluster, FollowedName
from watcher.settings_keys import known_keys
from watcher.settings_rules import contradictions
from watcher.settings_titles import drafts_by_title

# What pydantic calls the forms of a key that has several: no part of the file.
_FORMS = {
    "base": {FollowedCluster.__name__, FollowedName.__name__},
    "access": {FileAccess.__name__, KubeconfigAccess.__name__, IN_CLUSTER},
    "build": {"local", "tekton", "githubActions"},
}
_IN_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a key of this place",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "string_type": "must be text; write quotes around it",
    "bool_type": "must be true or false",
    "string_too_short": "must not be empty",
    "string_unicode": "must be text that UTF-8 can write",
}


def load(file: Path) -> Settings:
    """Read a configuration. Raises ConfigurationError with every fault, or InputError when it cannot be read at all."""
    document = read_document(file)
    faults = [*document.faults, *contradictions(document.value), *drafts_by_title(document.value)]
    try:
        settings = Settings.model_validate(document.value, context={DIRECTORY: file.absolute().parent})
    except ValidationError as error:
        faults += _translated(error)
    else:
        if not faults:
            return settings
    raise ConfigurationError(file, document.located(faults))


def _translated(error: ValidationError) -> Iterator[Fault]:
    for detail in error.errors(include_url=False, include_input=False):
        at = _as_written(detail["loc"])
        yield Fault(at=at, message=_message(detail), suggestion=_suggestion(detail, at))


def _as_written(location: Location) -> Location:
    """The place as it stands in the file: pydantic names forms of a key, and marks names of arguments, too."""
    if location[-3:-2] == ("args",) and location[-1] == "[key]":
        location = location[:-1]
    return tuple(
        part
        for number, part in enumerate(location)
        if not (number and part in _FORMS.get(str(location[number - 1]), ()))
    )


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        return f"must be {detail['ctx']['expected']}"
    message = _IN_WORDS.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _suggestion(detail: ErrorDetails, at: Location) -> str:
    if detail["type"] != "extra_forbidden":
        return ""
    known: Sequence[str] = known_keys(at[:-1])
    if at[-1] in known:
        return "it goes with another form of this place, such as another engine"
    return did_you_mean(str(at[-1]), known) or f"it has {', '.join(known)}"

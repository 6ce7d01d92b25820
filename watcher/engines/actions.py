"""Builds on GitHub Actions: one dispatched workflow run per attempt, found again by its title.

The engine dispatches runs, and cancels those of another key of the same image when it did. It deletes nothing, and it
never says that an image is there: that is asked of the registry.
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from layering.errors import InputError, LayerwatchError, NotFoundError
from layering.forge.exchange import LostAnswerError
from layering.forge.workflows import WorkflowRun, Workflows
from layering.reasons import Reason
from layering.request import RebuildRequest
from watcher.engines.actions_history import Attempts, KeyRun, judge, key_run, tag
from watcher.engines.engine import Build, BuildState
from watcher.settings_image import GitHubActionsBuild, ImageSettings

_LISTED_WITHIN_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0)  # each after the look before it
_LISTED_AT_LAST = timedelta(minutes=10)  # after a dispatch that was answered
_JUST_BEGAN = timedelta(minutes=1)  # another process may have dispatched something, and died
_INPUTS_LENGTH_MAX = 65_535  # docs.github.com, "Workflow syntax", on.workflow_dispatch.inputs
_log = logging.getLogger("layerwatch.engines")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Dispatched:
    """What this process dispatched, when, and the run's number where GitHub told it."""

    at: datetime
    run: int | None


class ActionsEngine:
    """Safe to use from threads. `workflows` gives a forge's API by its name.

    `images` are all that are configured: a run whose title names none is told apart by them.
    """

    def __init__(
        self,
        workflows: Callable[[str], Workflows],
        images: Sequence[ImageSettings],
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._workflows = workflows
        self._images = images
        self._now = now
        self._sleep = sleep
        self._began = now()
        self._dispatched: dict[tuple[str, str, int], _Dispatched] = {}  # by image, key and attempt, until listed

    def find(self, image: ImageSettings, key: str) -> Build | None:
        """Where a key stands, by its runs; of one that failed, the job and step. Reads only."""
        build = _actions(image)
        runs = self._runs(build)
        of_key = self._of_key(image, build, key, runs)
        if (late := self._not_listed_yet(image, build, key, of_key)) is not None:
            return _running(build, key, late)
        found = judge(of_key, self._others(image, build, key, runs), _attempts(build), build.repository, self._now())
        if found is None or found.state not in (BuildState.FAILED, BuildState.EXHAUSTED):
            return found
        return replace(found, message=f"{found.message}{self._ending(build, found)}")

    def end_others(self, image: ImageSettings, key: str) -> None:
        """Nothing to do: they are cancelled when another key is dispatched. Cancelled without that, nobody could tell
        them from what a person cancelled.
        """

    def start(self, image: ImageSettings, request: RebuildRequest, build: Build | None) -> Build:
        """Dispatch the next attempt, unless that was done already; then runs of another key are cancelled."""
        if build is not None and build.state is not BuildState.FAILED:
            return build
        settings, key = _actions(image), request.key or ""
        attempt = build.attempt + 1 if build else 1
        inputs = {"request": request.to_json(), "key": key, "attempt": str(attempt)}
        if sum(map(len, inputs.values())) > _INPUTS_LENGTH_MAX:
            raise InputError(
                f"the request is longer than the {_INPUTS_LENGTH_MAX} characters a workflow takes",
                where=f"build of {image.name}",
                next_step="give it fewer or shorter build arguments",
                reason=Reason.BUILD_MISCONFIGURED,
            )
        is_young = self._now() - self._began < _JUST_BEGAN
        within = _LISTED_WITHIN_SECONDS if is_young else _LISTED_WITHIN_SECONDS[:1]
        runs, is_listed = self._listed(image, settings, key, attempt, within)
        if not is_listed:
            runs = self._dispatch(image, settings, inputs, attempt) or runs
        self._cancel_others(image, settings, key, attempt, runs)
        return _running(settings, key, attempt)

    def _dispatch(
        self, image: ImageSettings, settings: GitHubActionsBuild, inputs: dict[str, str], attempt: int
    ) -> Sequence[KeyRun]:
        """All runs once it is listed, so that another process finds it; none when it is not so soon. When its answer is
        lost, the listing tells whether it was done. One that is not listed in time may be late, and is not dispatched
        again: two runs of one attempt are worse than a look that is lost.
        """
        workflows, key = self._workflows(settings.forge), inputs["key"]
        listed = partial(self._listed, image, settings, key, attempt, _LISTED_WITHIN_SECONDS)
        try:
            number = workflows.dispatch(settings.repository, settings.workflow, settings.ref, inputs)
        except LostAnswerError as error:
            runs, is_listed = listed()
            if not is_listed:
                error.next_step = "nothing to do; the next look tells whether it was dispatched"
                raise
            return runs
        self._dispatched[image.name, key, attempt] = _Dispatched(at=self._now(), run=number)
        try:
            runs, is_listed = listed()
        except LayerwatchError as error:
            _log.warning("%s was dispatched, and its runs cannot be listed: %s", settings.workflow, error)
            return ()
        return runs if is_listed else ()

    def _listed(
        self, image: ImageSettings, settings: GitHubActionsBuild, key: str, attempt: int, within: Sequence[float]
    ) -> tuple[Sequence[KeyRun], bool]:
        """All runs, and whether this one is among them: as soon as it is, or at the last of so many looks. Another
        process may have dispatched it just before this one began, and GitHub lists it some seconds later.
        """
        runs: Sequence[KeyRun] = ()
        for seconds in within:
            self._sleep(seconds)
            runs = self._runs(settings)
            if _has(self._of_key(image, settings, key, runs), attempt):
                return runs, True
        return runs, False

    def _check_its_title(self, settings: GitHubActionsBuild, dispatched: _Dispatched) -> None:
        """Raises InputError when its title has no key: nobody would ever find it by listing."""
        if dispatched.run is None:
            return
        with suppress(NotFoundError):  # not yet there
            run = self._workflows(settings.forge).run(settings.repository, dispatched.run)
            if key_run(run) is None:
                raise InputError(
                    f"the run's title {run.title!r} does not have its key and attempt",
                    where=run.url or f"{settings.repository}: {settings.workflow}",
                    next_step="give the workflow a run-name with [${{ inputs.key }}/${{ inputs.attempt }}] in it, and "
                    "delete that run",
                    reason=Reason.BUILD_MISCONFIGURED,
                )

    def _runs(self, build: GitHubActionsBuild) -> Sequence[KeyRun]:
        """All of ours of that workflow."""
        listed = self._workflows(build.forge).runs(build.repository, build.workflow)
        return [each for run in listed if (each := key_run(run)) is not None]

    def _not_listed_yet(
        self, image: ImageSettings, build: GitHubActionsBuild, key: str, runs: Sequence[KeyRun]
    ) -> int | None:
        """The attempt that this process dispatched, and that may be listed later; None when there is none. Raises as
        `_check_its_title`, for as long as the run is there: it is not dispatched again.
        """
        for (name, of_key, attempt), dispatched in list(self._dispatched.items()):
            if (name, of_key) != (image.name, key):
                continue
            if not _has(runs, attempt):
                self._check_its_title(build, dispatched)
                if self._now() - dispatched.at < _LISTED_AT_LAST:
                    return attempt
            del self._dispatched[name, of_key, attempt]
        return None

    def _of_key(
        self, image: ImageSettings, build: GitHubActionsBuild, key: str, runs: Sequence[KeyRun]
    ) -> Sequence[KeyRun]:
        """Those of this key, without those whose title names another image of that workflow, and not this one: what is
        built of the same inputs has the same key.
        """
        rivals = [other.name for other in self._images if other.name != image.name and _same_workflow(other, build)]
        of_key = (each for each in runs if each.key == key)
        return [
            each
            for each in of_key
            if _names(each.run, image.name) or not any(_names(each.run, rival) for rival in rivals)
        ]

    def _others(
        self, image: ImageSettings, build: GitHubActionsBuild, key: str, runs: Sequence[KeyRun]
    ) -> Sequence[KeyRun]:
        """Those of other keys of this image: whose titles name it. Where none does, all, unless another image is built
        by that workflow.
        """
        named = [each for each in runs if _names(each.run, image.name)]
        has_rivals = any(other.name != image.name and _same_workflow(other, build) for other in self._images)
        return [each for each in named or (() if has_rivals else runs) if each.key != key]

    def _cancel_others(
        self, image: ImageSettings, build: GitHubActionsBuild, key: str, attempt: int, runs: Sequence[KeyRun]
    ) -> None:
        """Nobody waits for them now: for another key, or an attempt that took too long. One that cannot be cancelled
        keeps its runner busy, and nothing else. Where the new one, whose title tells whether titles name images, is not
        among `runs` yet, only those are whose titles name this one.
        """
        of_key = self._of_key(image, build, key, runs)
        earlier = [each for each in of_key if each.attempt < attempt]
        others = self._others(image, build, key, runs)
        if not _has(of_key, attempt):
            others = [each for each in others if _names(each.run, image.name)]
        for each in (*others, *earlier):
            if each.run.is_finished:
                continue
            try:
                self._workflows(build.forge).cancel(build.repository, each.run.id)
            except LayerwatchError as error:
                _log.warning("run %s goes on, although nobody waits for it: %s", each.run.url or each.run.id, error)

    def _ending(self, build: GitHubActionsBuild, found: Build) -> str:
        """Which job and step failed, in words; nothing when that cannot be told."""
        try:
            failing = self._workflows(build.forge).failing(build.repository, int(found.name or "0"))
        except LayerwatchError as error:
            return f"; its jobs cannot be read: {error.what}"
        if failing is None:
            return ""
        job, step = failing
        return f"; job {job!r} failed" + (f" in step {step!r}" if step else "")


def _actions(image: ImageSettings) -> GitHubActionsBuild:
    if not isinstance(image.build, GitHubActionsBuild):
        raise InputError(f"{image.name} is not built by GitHub Actions", where="build.engine")
    return image.build


def _has(runs: Sequence[KeyRun], attempt: int) -> bool:
    return any(each.attempt >= attempt for each in runs)


def _running(settings: GitHubActionsBuild, key: str, attempt: int) -> Build:
    return Build(
        engine="githubActions",
        name=None,
        state=BuildState.RUNNING,
        attempt=attempt,
        reason=Reason.BUILD_RUNNING,
        message=f"{settings.workflow} in {settings.repository} was dispatched {tag(key[:12], attempt)}",
    )


def _attempts(build: GitHubActionsBuild) -> Attempts:
    return Attempts(
        limit=build.attempts,
        backoff=[timedelta(seconds=seconds) for seconds in build.backoff],
        timeout=timedelta(seconds=build.timeout),
    )


def _same_workflow(image: ImageSettings, build: GitHubActionsBuild) -> bool:
    other = image.build
    if not isinstance(other, GitHubActionsBuild):
        return False  # of two forges one may be the other by another name
    one, two = ((each.repository.casefold(), each.workflow) for each in (other, build))
    return one == two


def _names(run: WorkflowRun, image: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(image)}(?![\w-])", run.title) is not None

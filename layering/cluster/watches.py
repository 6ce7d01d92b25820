"""Following a kind of object: say "look now" whenever one of them changed, and whatever happens to the watch.

kubernetes.io, "API concepts": list, watch from there, and list again when the place to go on from is forgotten (410).
It carries no facts: who is told looks for himself. Debouncing is not done here.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator

from layering.cluster.api import ClusterApi, ExpiredError
from layering.cluster.objects import mapping, text
from layering.cluster.resources import Resource
from layering.errors import InputError, LayerwatchError, UnavailableError
from layering.reasons import Reason

_log = logging.getLogger("layerwatch.watch")
_WINDOW_SECONDS = 120.0  # a server that died without a word is noticed after this
_SHORT_SECONDS = 2.0  # a watch that ends sooner, and without an event, is not opened again at once
_PAUSE_FIRST_SECONDS = 0.25
_PAUSE_LONGEST_SECONDS = 5.0
_PAUSE_LOGIN_SECONDS = 10.0  # a token or a kubeconfig is renewed without a word to us
_PAUSE_REFUSED_SECONDS = 60.0  # what a person must mend is looked at less often


def follow(
    api: ClusterApi,
    resource: Resource,
    changed: Callable[[], None],
    stop: threading.Event,
    *,
    namespace: str | None = None,
    label_selector: str = "",
) -> None:
    """Call `changed` after every change, and whenever changes may have been missed, until `stop` is set.

    Returns soon after `stop` when the API is closed too (`ClusterApi.close`), else with the next event or at the end of
    the window. Failures are tried again, ever more slowly, and logged once per reason.
    """
    follower = _Follower(api, resource, namespace, label_selector)
    trouble = _Trouble(f"{api.name}: watching {resource.plural}", api.name)
    while not stop.is_set():
        try:
            for is_change in follower.events():
                trouble.is_over()
                if stop.is_set():
                    return
                if is_change:
                    changed()
        except LayerwatchError as error:
            if stop.is_set():
                return  # the API was closed: the watch was ended, it did not fail
            trouble.has(error)
        if not stop.is_set():
            stop.wait(trouble.pause_seconds())


class _Follower:
    """Where a watch goes on from. One round is one list, if needed, and one watch."""

    def __init__(self, api: ClusterApi, resource: Resource, namespace: str | None, label_selector: str) -> None:
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._version = ""

    def events(self) -> Iterator[bool]:
        """Whether it is a change, for each sign of life. Ends with the watch; raises when that ended at once."""
        if not self._version:
            listed = self._api.list(
                self._resource, namespace=self._namespace, label_selector=self._label_selector, metadata_only=True
            )
            self._version = listed.resource_version
            yield True
        began, heard = time.monotonic(), False
        try:
            for event in self._api.watch(
                self._resource,
                namespace=self._namespace,
                label_selector=self._label_selector,
                resource_version=self._version,
                timeout_seconds=_WINDOW_SECONDS * random.uniform(0.8, 1.2),  # noqa: S311 no secret
                metadata_only=True,
            ):
                heard = True
                self._version = text(mapping(event.object.get("metadata")).get("resourceVersion")) or self._version
                yield event.type != "BOOKMARK"
        except ExpiredError:
            self._version = ""
            return
        if not heard and time.monotonic() - began < _SHORT_SECONDS:
            raise UnavailableError("the watch ends at once", where=self._api.name, reason=Reason.UNREACHABLE)


class _Trouble:
    """Since when a watch fails, and how long to wait before it is tried again."""

    def __init__(self, what: str, cluster: str) -> None:
        self._what = what
        self._cluster = cluster
        self._reason: Reason | None = None
        self._pause_longest_seconds = _PAUSE_LONGEST_SECONDS
        self._times = 0

    def has(self, error: LayerwatchError) -> None:
        """It failed once more. Said once for each reason."""
        self._times += 1
        self._pause_longest_seconds = pause_longest_seconds(error)
        if error.reason is not self._reason:
            self._reason = error.reason
            _log.warning("%s: %s", self._what, error.what, extra={"cluster": self._cluster, "reason": error.reason})

    def is_over(self) -> None:
        """It works."""
        self._times = 0
        if self._reason is not None:
            self._reason = None
            _log.info("%s: it works again", self._what, extra={"cluster": self._cluster})

    def pause_seconds(self) -> float:
        """Half of it at least, at random, so that many watches do not come back at the same moment."""
        longest = self._pause_longest_seconds
        pause = min(longest, _PAUSE_FIRST_SECONDS * 2 ** min(self._times, 16)) if self._times else 0.0
        return pause * random.uniform(0.5, 1)  # noqa: S311 no secret


def pause_longest_seconds(error: LayerwatchError) -> float:
    """What the pauses after this failure grow to, when it lasts."""
    if isinstance(error, UnavailableError):
        return _PAUSE_LONGEST_SECONDS
    if isinstance(error, InputError) or error.reason is Reason.UNAUTHORIZED:
        return _PAUSE_LOGIN_SECONDS
    return _PAUSE_REFUSED_SECONDS

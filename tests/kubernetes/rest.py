"""The test's own way to an API server: paths and dicts, straight over HTTPS, without the client the product uses.

It retries nothing and waits for nothing. Reads a kubeconfig with a bearer token or a client certificate.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
import yaml

Body = dict[str, Any]
_MERGE = "application/merge-patch+json"
_TIMEOUT_SECONDS = (5, 60)


class RefusedError(Exception):
    """The API server answered with an error; `code` is the HTTP status, `reason` that of its Status object."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason, self.message = code, reason, message


class Rest:
    """One account of one API server. Thread-safe as far as requests is."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self.url = str(cluster["server"])
        self._session = requests.Session()
        self._session.trust_env = False
        self._watched: set[requests.Response] = set()
        self._stopped = False
        self._session.verify = _file(cluster, "certificate-authority", kubeconfig.with_suffix(".rest-ca"))
        if "token" in user:
            self._session.headers["Authorization"] = f"Bearer {user['token']}"
        else:
            certificate = _file(user, "client-certificate", kubeconfig.with_suffix(".rest-crt"))
            self._session.cert = (certificate, _file(user, "client-key", kubeconfig.with_suffix(".rest-key")))

    def stop_watching(self) -> None:
        """End every watch, from any thread, and let none begin."""
        self._stopped = True
        for answer in list(self._watched):
            with suppress(ValueError, RuntimeError, OSError):  # it ended by itself, or is just being closed
                answer.raw.shutdown()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def call(self, method: str, path: str, body: Body | None = None, *, kind: str = "application/json") -> Body:
        """One request; `path` begins with /api or /apis. Raises RefusedError, requests.RequestException."""
        return dict(json.loads(self._ask(method, path, body, kind).content))

    def text(self, path: str) -> str:
        """What is not JSON: logs. Raises as `call`."""
        return self._ask("GET", path, None, "application/json").text

    def get(self, path: str) -> Body | None:
        """The object, or None when it is not there."""
        try:
            return self.call("GET", path)
        except RefusedError as error:
            if error.code == 404:
                return None
            raise

    def merge(self, path: str, body: Body) -> Body:
        """A JSON merge patch."""
        return self.call("PATCH", path, body, kind=_MERGE)

    def watch(self, path: str, version: str, seconds: int) -> Iterator[tuple[str, Body]]:
        """(type, object) of each event after `version`, for `seconds`. A 410 comes as an ERROR event."""
        query = f"watch=true&resourceVersion={version}&timeoutSeconds={seconds}"
        with self._session.get(f"{self.url}{path}?{query}", stream=True, timeout=(5, seconds + 5)) as answer:
            _check(answer)
            self._watched.add(answer)
            try:
                for line in () if self._stopped else answer.iter_lines(chunk_size=None):
                    event = json.loads(line)
                    yield event["type"], event["object"]
            finally:
                self._watched.discard(answer)

    def _ask(self, method: str, path: str, body: Body | None, kind: str) -> requests.Response:
        answer = self._session.request(
            method,
            self.url + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": kind},
            timeout=_TIMEOUT_SECONDS,
        )
        _check(answer)
        return answer


def _check(answer: requests.Response) -> None:
    if answer.ok:
        return
    try:
        status = answer.json()
    except ValueError:  # some are plain text, such as "404 page not found"
        status = {}
    raise RefusedError(answer.status_code, status.get("reason", ""), status.get("message") or answer.text)


def _file(entry: Body, key: str, copy: Path) -> str:
    if key in entry:
        return str(entry[key])
    copy.write_bytes(base64.b64decode(entry[f"{key}-data"]))
    return str(copy)

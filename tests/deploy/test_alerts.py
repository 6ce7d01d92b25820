"""The alerts: Prometheus' own promtool reads them, and plays series against each; all they name exists.

Each case is what Prometheus scrapes minute by minute, and the alerts that then fire, and no others.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from layering.reasons import Reason
from tests.deploy.files import OVERLAYS, ROOT, Document, built, one
from tests.parts import require
from watcher.decision import Kind
from watcher.metrics import METRICS

_HOUR, _DAY = 60, 24 * 60  # minutes
_SELECTOR = re.compile(r"(?P<name>layerwatch_\w+)(?:\{(?P<matchers>[^}]*)\})?")
_MATCHER = re.compile(r'(?P<label>\w+)(?:=~|!~|!=|=)"(?P<value>[^"]*)"')
_HEALTHY: Mapping[str, str] = {
    'layerwatch_build_info{version="1"}': "1x10000",
    "layerwatch_leader": "1x10000",
    'layerwatch_ticks_total{result="ok"}': "0+1x10000",
    'layerwatch_ticks_total{result="defect"}': "0x10000",
    "layerwatch_config_last_reload_successful": "1x10000",
    'layerwatch_last_look_timestamp_seconds{source="cluster/prod"}': "0+60x10000",
}
_SUBJECT = 'image="worker-os", cluster="prod", pool="worker"'


def _decision(decision: Kind, reason: Reason) -> str:
    return f'layerwatch_decision{{{_SUBJECT}, decision="{decision}", reason="{reason}"}}'


_BUILDING = _decision(Kind.BUILDING, Reason.BUILD_RUNNING)
_AWAITING = _decision(Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN)
CASES = [
    pytest.param({}, _DAY, set(), id="all is well"),
    pytest.param({_decision(Kind.UP_TO_DATE, Reason.MATCHES_BASE): "1x10000"}, 2 * _DAY, set(), id="up to date"),
    pytest.param(
        {_BUILDING: "1x60 _x10000", _AWAITING: "_x61 1x10000"}, _DAY - 1, set(), id="an upgrade that is a day old"
    ),
    pytest.param(
        {_BUILDING: "1x60 _x10000", _AWAITING: "_x61 1x10000"},
        _DAY + 1,
        {"LayeredPoolBehind"},
        id="behind for a day, whatever the reasons were meanwhile",
    ),
    pytest.param(
        {_AWAITING: "1x10000"},
        3 * _DAY + 1,
        {"LayeredPoolBehind", "LayeredImageProposalWaits"},
        id="a proposal that nobody answers",
    ),
    pytest.param(
        {_decision(Kind.BLOCKED, Reason.BUILD_FAILED): "1x10000"}, 6, {"LayeredImageBuildFails"}, id="no build succeeds"
    ),
    pytest.param(
        {_decision(Kind.BLOCKED, Reason.BUILD_MISCONFIGURED): "1x10000"},
        6,
        {"LayeredImageBuildFails"},
        id="no build can succeed",
    ),
    pytest.param({_decision(Kind.HELD, Reason.BACK_OFF): "1x10000"}, _HOUR, set(), id="a build that is tried again"),
    pytest.param(
        {_decision(Kind.BLOCKED, Reason.POOL_DEGRADED): "1x10000"},
        31,
        {"LayeredImageBlocked"},
        id="something is blocked",
    ),
    pytest.param(
        {_decision(Kind.UNKNOWN, Reason.UNREACHABLE): "1x10 _x10000"}, _HOUR + 1, set(), id="a cluster that was away"
    ),
    pytest.param(
        {_decision(Kind.UNKNOWN, Reason.FORBIDDEN): "1x10000"},
        _HOUR + 1,
        {"LayeredImageUnknown"},
        id="a cluster that lets us read nothing",
    ),
    pytest.param(dict.fromkeys(_HEALTHY, "_x10000"), 16, {"LayerwatchDown"}, id="no watcher"),
    pytest.param({"layerwatch_leader": "0x10000"}, 6, {"LayerwatchNobodyActs"}, id="all stand by"),
    pytest.param(
        {'layerwatch_leader{pod="a"}': "0x10000", 'layerwatch_leader{pod="b"}': "1x10000"},
        _HOUR,
        set(),
        id="one acts and one stands by",
    ),
    pytest.param(
        {'layerwatch_ticks_total{result="ok"}': "0+1x10 10x10000"}, _HOUR + 5, {"LayerwatchTicksStopped"}, id="it hangs"
    ),
    pytest.param(
        {'layerwatch_ticks_total{result="defect"}': "0x10 1x10000"}, 14, {"LayerwatchDefect"}, id="a defect of ours"
    ),
    pytest.param(
        {"layerwatch_config_last_reload_successful": "1x10 0x10000"},
        20,
        {"LayerwatchConfigRefused"},
        id="a broken configuration",
    ),
    pytest.param(
        {'layerwatch_last_look_timestamp_seconds{source="cluster/prod"}': "0+60x10 600x10000"},
        80,
        {"LayerwatchSourceSilent"},
        id="a cluster that is silent",
    ),
]


@pytest.fixture(scope="module")
def rule() -> Document:
    return one(built(OVERLAYS / "openshift"), "PrometheusRule")


def _alerts(rule: Document) -> list[Document]:
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


@pytest.mark.parametrize(("series", "minute", "firing"), CASES)
def test_what_fires(series: Mapping[str, str], minute: int, firing: set[str], rule: Document, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    scraped = {**_HEALTHY, **series}
    if any(name.startswith("layerwatch_leader{") for name in series):
        del scraped["layerwatch_leader"]
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing]
    question = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{minute}m"}
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in scraped.items()],
        "promql_expr_test": [{**question, "exp_samples": samples}],
    }
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    _promtool("test", "rules", "tests.yaml", directory=tmp_path)


def test_promtool_finds_no_fault(rule: Document, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    _promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yaml", directory=tmp_path)


def _promtool(*arguments: str, directory: Path) -> None:
    argv = [require("promtool"), *arguments]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_case_of_an_alert_is_played(rule: Document) -> None:
    played = {name for case in CASES for name in _set(case.values[2])}
    assert played == {alert["alert"] for alert in _alerts(rule)}


def _set(value: Any) -> set[str]:
    assert isinstance(value, set)
    return value


def test_expressions_name_what_the_watcher_says(rule: Document) -> None:
    labels = {metric.name: set(metric.labels) for metric in METRICS}
    values = {"decision": {str(kind) for kind in Kind}, "reason": {str(reason) for reason in Reason}}
    for alert in _alerts(rule):
        selectors = list(_SELECTOR.finditer(alert["expr"]))
        assert selectors, alert["alert"]
        for selector in selectors:
            for matcher in _MATCHER.finditer(selector["matchers"] or ""):
                assert matcher["label"] in labels[selector["name"]], selector[0]
                known = values.get(matcher["label"])
                assert known is None or set(matcher["value"].split("|")) <= known, selector[0]
            assert selector["name"] in labels


def test_each_alert_has_a_runbook_and_each_runbook_an_alert(rule: Document) -> None:
    text = (ROOT / "docs/runbooks.md").read_text()
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    alerts = {alert["alert"]: alert for alert in _alerts(rule)}
    assert list(sections) == list(alerts)
    for name, alert in alerts.items():
        annotations = alert["annotations"]
        assert annotations["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
        assert set(annotations) == {"summary", "description", "runbook_url"}
        assert alert["labels"]["severity"] in ("warning", "info")
        assert sections[name].count("**Means.**") == sections[name].count("**Do.**") == 1

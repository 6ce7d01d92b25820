"""Which token a forge is told in a workflow, by act: what was said, and else the workflow's own where it was issued."""

import pytest

from tests.actions.act import TOKEN, Act
from tests.forges.scripted import served

JOB = """\
on: workflow_dispatch
jobs:
  propose:
    runs-on: ubuntu-24.04
    env: {ENV}
    steps:
      - uses: acme/layerwatch/github-actions/propose@COMMIT
        with:
          forge: ${{ env.KIND }}
          forge-url: http://${{ env.FORGE }}/api
          repository: acme/cluster-config
          file: worker.yaml
          cluster: prod
          pool: worker
          image: registry.example.com/acme/worker-os@sha256:DIGEST
          key: DIGEST
          token: INPUT
""".replace("COMMIT", "a" * 40).replace("DIGEST", "b" * 64)


@pytest.mark.parametrize(
    ("env", "token", "told"),
    [
        pytest.param("LAYERWATCH_FORGE_TOKEN: the-jobs", "''", "Bearer the-jobs", id="the job's"),
        pytest.param("LAYERWATCH_FORGE_TOKEN: the-jobs", "the-input", "Bearer the-input", id="the input before it"),
        pytest.param("LAYERWATCH_FORGE_TOKEN: the-jobs, GITHUB_TOKEN: another", "''", "Bearer the-jobs", id="first"),
        pytest.param("GITHUB_TOKEN: the-jobs", "''", "Bearer the-jobs", id="the job's, for this kind of forge"),
    ],
)
def test_a_forge_anywhere_is_told_the_token_that_was_chosen(act: Act, env: str, token: str, told: str) -> None:
    assert asked(act, "github", env=env, token=token) == {told}


@pytest.mark.parametrize(
    ("kind", "runner", "told"),
    [
        pytest.param("github", {"GITHUB_API_URL": "http://{}/api"}, f"Bearer {TOKEN}", id="its own GitHub"),
        pytest.param("gitea", {"GITHUB_SERVER_URL": "http://{}"}, f"token {TOKEN}", id="its own Gitea"),
        pytest.param("github", {}, None, id="a GitHub elsewhere"),
        pytest.param("gitea", {}, None, id="a Gitea elsewhere"),
    ],
)
def test_the_workflow_s_own_token_is_told_to_its_server_alone(
    act: Act, kind: str, runner: dict[str, str], told: str | None
) -> None:
    assert asked(act, kind, **runner) == {told}


def asked(act: Act, kind: str, *, env: str = "", token: str = "''", **runner: str) -> set[str | None]:
    """The tokens that a forge was told which refuses all of them; `runner` is where a runner says that it belongs."""
    workflow = act.repository / ".github" / "workflows" / "propose.yml"
    workflow.write_text(JOB.replace("ENV", env).replace("INPUT", token))
    with served() as forge:
        forge.say(403, {"message": "no"})
        place = {name: value.format(forge.address) for name, value in runner.items()}
        ended = act.dispatch("propose.yml", environment={"KIND": kind, "FORGE": forge.address, **place})
    assert ended.exit_codes == {3}, ended.log
    assert TOKEN not in ended.log
    return {headers.get("Authorization") for _, _, headers in forge.asked}

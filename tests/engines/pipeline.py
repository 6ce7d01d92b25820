"""A Pipeline of the tests' own: one task whose step does what the param DO says."""

from typing import Any

_BUILD = """
case "$DO" in
  succeed) printf 'sha256:%064d' 1 | sed 's/0/1/g' > "$DIGEST"
           printf '%s' "$REQUEST" | sha256sum | cut -c 1-64 | tr -d '\\n' > "$SEEN" ;;
  sleep)   sleep 600 ;;
  wait)    sleep 2 ;;
  fail)    echo "password=pl4ntedS3cret"
           echo "layerwatch-step run: no package matches htopp"
           echo "  next: mend the Containerfile"
           exit 7 ;;
esac
"""

PIPELINE: dict[str, Any] = {
    "apiVersion": "tekton.dev/v1",
    "kind": "Pipeline",
    "metadata": {"name": "of-the-tests"},
    "spec": {
        "params": [{"name": "request"}, {"name": "DO", "default": "succeed"}],
        "workspaces": [{"name": "source"}],
        "tasks": [
            {
                "name": "build",
                "params": [
                    {"name": "request", "value": "$(params.request)"},
                    {"name": "DO", "value": "$(params.DO)"},
                ],
                "workspaces": [{"name": "source"}],
                "taskSpec": {
                    "params": [{"name": "request"}, {"name": "DO"}],
                    "workspaces": [{"name": "source"}],
                    "results": [{"name": "IMAGE_DIGEST"}, {"name": "SEEN"}],
                    "steps": [
                        {"name": "prepare", "image": "any", "command": ["true"]},
                        {
                            "name": "build",
                            "image": "any",
                            "command": ["sh", "-c", _BUILD],
                            "env": [
                                {"name": "REQUEST", "value": "$(params.request)"},
                                {"name": "DO", "value": "$(params.DO)"},
                                {"name": "DIGEST", "value": "$(results.IMAGE_DIGEST.path)"},
                                {"name": "SEEN", "value": "$(results.SEEN.path)"},
                            ],
                        },
                    ],
                },
            }
        ],
        "results": [
            {"name": "IMAGE_DIGEST", "value": "$(tasks.build.results.IMAGE_DIGEST)"},
            {"name": "SEEN", "value": "$(tasks.build.results.SEEN)"},
        ],
    },
}

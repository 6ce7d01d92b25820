"""What buildkit says about a Containerfile before and after its base was pinned."""

from collections.abc import Mapping

from tests.parts.oracle_client import Oracle


def assert_only_the_base_changed(
    oracle: Oracle, before: str, after: str, base: str, build_args: Mapping[str, str] | None = None
) -> None:
    """Same stages, names, platforms and instructions; a stage is FROM what it was FROM, or FROM `base`."""
    old, new = oracle.containerfile(before, build_args), oracle.containerfile(after, build_args)
    assert [(s.name, s.platform, s.commands) for s in new.stages] == [
        (s.name, s.platform, s.commands) for s in old.stages
    ]
    assert base in {stage.expanded for stage in new.stages}
    assert all(n.expanded in (o.expanded, base) for o, n in zip(old.stages, new.stages, strict=True))
    _assert_same_instructions(oracle, before, after, base)


def _assert_same_instructions(oracle: Oracle, before: str, after: str, base: str) -> None:
    (old_escape, old), (new_escape, new) = oracle.lines(before), oracle.lines(after)
    assert new_escape == old_escape
    for was, now in zip(old, new, strict=True):
        assert (now.keyword, now.flags, now.heredocs) == (was.keyword, was.flags, was.heredocs)
        assert now.original == was.original or (now.keyword in ("FROM", "ARG") and base in now.original)

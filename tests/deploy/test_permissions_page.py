"""docs/permissions.md says what the files grant; what of it is used, test_used_rights.py compares."""

import pytest

from tests.deploy.files import OVERLAYS, built, granted
from tests.deploy.permissions_page import rows, told_of


def test_the_page_is_what_openshift_is_given() -> None:
    assert {row.right: row.names for row in rows()} == dict(granted(built(OVERLAYS / "openshift")))


@pytest.mark.parametrize("overlay", ["kubernetes", "namespaced"])
def test_the_other_overlays_give_the_rights_in_its_own_namespace_alone(overlay: str) -> None:
    assert granted(built(OVERLAYS / overlay)).keys() == told_of()

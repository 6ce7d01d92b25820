"""Which MachineConfig of a file is meant, and what is said when that is not clear."""

import pytest

from layering.errors import InputError
from layering.machineconfig import read_claim, set_os_image
from layering.reference import ImageReference

OLD = "quay.io/acme/os@sha256:" + "1" * 64
NEW = ImageReference.parse("quay.io/acme/os@sha256:" + "2" * 64)


def config(name: str, pool: str | None, image: str | None = OLD) -> str:
    label = f"labels: {{machineconfiguration.openshift.io/role: {pool}}}" if pool else ""
    spec = f"osImageURL: {image}" if image else "fips: true"
    return (
        "apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\n"
        f"metadata: {{name: {name}, {label}}}\nspec:\n  {spec}\n"
    )


def file(*texts: str) -> str:
    return "---\n".join(texts)


OTHER = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
FOREIGN = "apiVersion: example.com/v1\nkind: MachineConfig\nmetadata: {name: not-openshift}\nspec: {osImageURL: x}\n"


@pytest.mark.parametrize(
    ("text", "name", "pool", "document"),
    [
        pytest.param(file(config("a", "worker")), None, None, "a", id="the only one"),
        pytest.param(file(OTHER, config("a", None), FOREIGN), None, None, "a", id="the only one among others"),
        pytest.param(file(config("a", "worker"), config("b", "worker")), "a", None, "a", id="by name"),
        pytest.param(file(config("a", "worker"), config("b", "infra")), None, "infra", "b", id="by pool"),
        pytest.param(file(config("a", "worker"), config("a", "infra")), "a", "infra", "a", id="by both"),
        pytest.param(
            file(config("a", "worker", None), config("b", "worker")), None, "worker", "b", id="the pool's that sets it"
        ),
    ],
)
def test_the_one_that_is_meant(text: str, name: str | None, pool: str | None, document: str) -> None:
    edit = set_os_image(text, NEW, name=name, pool=pool)
    assert edit.document == document
    assert read_claim(edit.text, name=name, pool=pool).image == str(NEW)


@pytest.mark.parametrize(
    ("text", "name", "pool", "said"),
    [
        pytest.param("", None, None, "there is no MachineConfig; in the file: nothing", id="an empty text"),
        pytest.param("# nothing\n---\n", None, None, "there is no MachineConfig", id="only comments"),
        pytest.param(file(OTHER), None, None, "line 1: 'Secret' 's'", id="another kind"),
        pytest.param(file(FOREIGN), None, None, "'MachineConfig' 'not-openshift'", id="another API group"),
        pytest.param(
            file(config("a", "worker"), config("b", "infra")),
            None,
            None,
            "are 2 MachineConfigs; in the file:",
            id="two",
        ),
        pytest.param(
            file(config("a", "worker")),
            "b",
            None,
            "named 'b'; in the file:\n    line 1: MachineConfig 'a'",
            id="no such name",
        ),
        pytest.param(
            file(config("a", "worker")), None, "infra", "no MachineConfig for the pool 'infra'", id="no such pool"
        ),
        pytest.param(file(config("a", None)), None, "worker", "(no pool label)", id="no label"),
        pytest.param(
            file(config("a", "worker")), "a", "infra", "named 'a' for the pool 'infra'", id="name of another pool"
        ),
        pytest.param(
            file(config("a", "worker"), config("a", "worker")),
            "a",
            None,
            "line 7: MachineConfig 'a'",
            id="a name twice",
        ),
        pytest.param(
            file(config("a", "worker", None), config("b", "worker", None)), None, "worker", "are 2", id="none sets it"
        ),
        pytest.param(
            file(config("b", "worker"), config("a", "worker")), None, "worker", "b wins: of one pool's", id="two set it"
        ),
    ],
)
def test_unclear_is_an_error_that_lists_the_file(text: str, name: str | None, pool: str | None, said: str) -> None:
    with pytest.raises(InputError) as caught:
        set_os_image(text, NEW, name=name, pool=pool, create=True)
    assert said in str(caught.value)
    assert caught.value.next_step


def test_a_long_listing_is_cut() -> None:
    with pytest.raises(InputError) as caught:
        read_claim(file(*(config(f"n{number}", "worker") for number in range(50))), name="x")
    assert "n19" in str(caught.value)
    assert "and 30 more" in str(caught.value)
    assert "n20" not in str(caught.value)


def test_a_pool_with_one_claim_needs_no_note() -> None:
    assert set_os_image(file(config("a", "worker"), config("b", "master")), NEW, pool="worker").notes == ()


def test_editing_the_one_that_loses_says_so() -> None:
    edit = set_os_image(file(config("a", "worker"), config("b", "worker")), NEW, name="a")
    assert edit.notes == (
        "a does not decide: in this file b decides the osImageURL of the pool worker: "
        "of one pool's MachineConfigs the last by name decides",
    )


def test_editing_the_one_that_wins_says_why() -> None:
    edit = set_os_image(file(config("z", "worker"), config("a", "infra", None)), NEW, pool="infra", create=True)
    assert edit.notes == (
        "in this file a decides the osImageURL of the pool infra: "
        "those labelled infra are applied after those labelled worker, whatever their names",
    )

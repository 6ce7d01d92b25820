"""RHEL entitlement certificates for the RUN lines of a build: copied aside, mounted, and in no layer.

The certificates of a mounted Secret cannot be mounted again as they are: their links lead out of what a container sees,
and their modes and labels are not the build's. So they are copied into the build's scratch directory, as the Machine
Config Operator's own build does, and mounted where dnf and rpm-ostree look for them.
"""

from pathlib import Path

from layering.errors import InputError
from pipeline.mounted import mounted_files, read_mounted

FLAG = "--entitlement"
_IN_CONTAINER = "/etc/pki/entitlement"


def entitlement_flags(entitlement: Path | None, directory: Path) -> tuple[str, ...]:
    """Flags for `buildah bud`; a copy of the certificates is in `directory` then. Raises InputError without any."""
    if entitlement is None:
        return ()
    if not entitlement.is_dir():
        raise InputError(f"{entitlement} is not a directory", where=FLAG)
    files = [file for file in mounted_files(entitlement) if file.suffix == ".pem"]
    if not files:
        raise InputError(f"there is no *.pem in {entitlement}", where=FLAG)
    copy = directory / "entitlement"
    copy.mkdir(mode=0o755)
    for file in files:
        (copy / file.name).write_bytes(read_mounted(file, FLAG))
        (copy / file.name).chmod(0o644)
    return (f"--volume={copy}:{_IN_CONTAINER}:z,rw",)

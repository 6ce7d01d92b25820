"""What of one cluster need not be asked again: what never changes under its name, and where an API was found.

Nothing here is a fact about the present; without it a look asks more and tells the same. It is not kept on disk.
"""

from dataclasses import dataclass, field

from layering.cluster.machineconfigs import Rendered


@dataclass(slots=True)
class Memory:
    """One cluster's. `rendered`: a rendered MachineConfig's name and sources, and what it says; it is never changed.

    `images`: the osImageURL of a rendered MachineConfig that nodes still have.
    `stream_version`: the version in which OSImageStream was last found to be served.
    """

    rendered: dict[tuple[str, tuple[str, ...]], Rendered] = field(default_factory=dict)
    images: dict[str, str | None] = field(default_factory=dict)
    stream_version: str | None = None

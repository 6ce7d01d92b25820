"""Which OS image streams a cluster offers: the OSImageStream object, in whatever version the cluster serves it.

openshift/api machineconfiguration/v1 types_osimagestream.go, before that v1alpha1; older clusters have none. Which
stream an image should follow is not decided here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from layering.cluster.api import ClusterApi
from layering.cluster.memory import Memory
from layering.cluster.objects import mapping, mappings, text
from layering.cluster.resources import OS_IMAGE_STREAMS
from layering.errors import ContentError, InputError, NotFoundError
from layering.reasons import Reason
from layering.reference import ImageReference

NAME = "cluster"


@dataclass(frozen=True, kw_only=True, slots=True)
class OSImageStreams:
    """`default` is the stream of pools that name none; `images` has each stream's OS image, pinned."""

    default: str | None
    images: Mapping[str, ImageReference]


def read_streams(api: ClusterApi, memory: Memory) -> OSImageStreams | None:
    """The streams; None where the cluster has no such API or object. Raises ContentError for an image that is none."""
    version = memory.stream_version or api.served_version(OS_IMAGE_STREAMS.group, OS_IMAGE_STREAMS.plural)
    if version is None:
        return None
    try:
        body = api.get(OS_IMAGE_STREAMS.at(version), NAME)
    except NotFoundError as error:
        if memory.stream_version is not None and error.reason is Reason.API_MISSING:
            memory.stream_version = None  # an update of the cluster may have moved it to another version
            return read_streams(api, memory)
        return None
    memory.stream_version = version
    return parse_streams(body, f"{api.name}: {OS_IMAGE_STREAMS.kind}/{NAME}")


def parse_streams(body: Mapping[str, Any], where: str) -> OSImageStreams:
    """Read `status`. Raises ContentError for an image that is not pinned."""
    status = mapping(body.get("status"))
    images = {}
    for number, stream in enumerate(mappings(status.get("availableStreams"))):
        try:
            images[text(stream.get("name"))] = ImageReference.parse_pinned(text(stream.get("osImage")))
        except InputError as error:
            place = f"{where} status.availableStreams[{number}].osImage"
            raise ContentError(error.what, where=place, next_step=f"oc get osimagestream {NAME} -o yaml") from None
    return OSImageStreams(default=text(status.get("defaultStream")) or None, images=images)

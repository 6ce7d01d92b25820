"""What is known of one cluster: the last answer, the last good one, and since when. It asks nothing."""

from dataclasses import dataclass
from datetime import datetime

from layering.cluster.state import ClusterState
from layering.errors import LayerwatchError
from layering.reasons import Reason
from layering.registry.settings import RegistrySettings
from watcher.world import Failure

NOT_ASKED = Failure(
    reason=Reason.UNREACHABLE, message="it has not answered yet", next_step="look again in a moment", temporary=True
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of one cluster. `state` is the last answer, `last_good` the last one without a failure in it.

    `registries` is how the cluster says that registries are reached, when the configuration asks for that.
    """

    state: ClusterState | Failure = NOT_ASKED
    looked_at: datetime | None = None
    last_good: ClusterState | None = None
    last_good_at: datetime | None = None
    registries: RegistrySettings | Failure | None = None

    @property
    def failure(self) -> Failure | None:
        """The first thing that could not be told this time."""
        if isinstance(self.state, Failure):
            return self.state
        parts = (self.state.release, self.state.pools, self.state.streams)
        return next((Failure.of(part) for part in parts if isinstance(part, LayerwatchError)), None)

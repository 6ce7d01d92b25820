"""All attacks, by what they are after."""

from tests.registry.hostile.attacks_addresses import ADDRESS_ATTACKS
from tests.registry.hostile.attacks_answers import ANSWER_ATTACKS
from tests.registry.hostile.attacks_manifests import MANIFEST_ATTACKS
from tests.registry.hostile.attacks_payload import PAYLOAD_ATTACKS
from tests.registry.hostile.attacks_push import PUSH_ATTACKS
from tests.registry.hostile.attacks_wire import WIRE_ATTACKS

ATTACKS = [*ADDRESS_ATTACKS, *ANSWER_ATTACKS, *MANIFEST_ATTACKS, *PAYLOAD_ATTACKS, *PUSH_ATTACKS, *WIRE_ATTACKS]

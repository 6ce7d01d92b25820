"""DSSE: a statement and who signed it (secure-systems-lab/dsse, protocol.md and envelope.md)."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from layering.errors import ContentError
from layering.registry.manifest import parse_object
from layering.signing.publickey import PublicKey, decoded
from layering.signing.signingkey import SigningKey, signed

DSSE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
_SIGNATURES_MAX = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """A statement with signatures of it."""

    statement: bytes
    signatures: tuple[bytes, ...]

    @classmethod
    def sealed(cls, statement: bytes, key: SigningKey) -> "Envelope":
        """Sign a statement. Raises what the key does."""
        return cls(statement=statement, signatures=(signed(key, _encoded(statement)),))

    @classmethod
    def read(cls, document: Any, where: str) -> "Envelope":
        """Take an envelope that was read as JSON. Raises ContentError for what is none, or holds no statement."""
        entries = document.get("signatures") if isinstance(document, dict) else None
        statement = decoded(document.get("payload")) if isinstance(document, dict) else None
        if statement is None or not isinstance(entries, list) or len(entries) > _SIGNATURES_MAX:
            raise ContentError("not a DSSE envelope", where=where)
        if document.get("payloadType") != IN_TOTO:
            raise ContentError("a DSSE envelope with something else than an in-toto statement", where=where)
        found = (decoded(entry.get("sig")) for entry in entries if isinstance(entry, dict))
        return cls(statement=statement, signatures=tuple(one for one in found if one))

    @classmethod
    def parse(cls, raw: bytes, where: str) -> "Envelope":
        """As `read`, from its JSON."""
        return cls.read(parse_object(raw, where), where)

    def is_by(self, key: PublicKey) -> bool:
        """Whether one of the signatures is this key's."""
        return any(key.verifies(signature, _encoded(self.statement)) for signature in self.signatures)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        signatures = [{"sig": base64.b64encode(signature).decode()} for signature in self.signatures]
        payload = base64.b64encode(self.statement).decode()
        return {"payload": payload, "payloadType": IN_TOTO, "signatures": signatures}

    def raw(self) -> bytes:
        """Its bytes."""
        return json.dumps(self.document(), separators=(",", ":")).encode()


def _encoded(statement: bytes) -> bytes:
    """What is signed: the pre-authentication encoding of type and statement (protocol.md, "PAE")."""
    return b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(statement), statement)

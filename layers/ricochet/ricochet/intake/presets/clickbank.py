"""ClickBank Instant Notification Service, versions 6 to 8 (documented): an encrypted JSON notice.

Ours are notices with the role AFFILIATE (and of the configured nickname, if there is one); all others, and tests, are
receipts. A refund repeats the receipt of its sale; a rebill has one of its own and is a conversion of its own.
"""

import base64
import binascii
import hashlib
import secrets
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from ricochet.errors import InvalidBodyError
from ricochet.intake.preset import Fields, Preset
from ricochet.intake.raw_postback import RawPostback
from ricochet.values.inputs import parse_json_object
from ricochet.values.statuses import Status

BLOCK = 16

KEY_LENGTH = 32


def key_of(secret: str) -> bytes:
    """AES-256 key: the first 32 characters of the hex SHA-1 of the secret."""
    return hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest()[:KEY_LENGTH].encode()


def decrypt(notification: str, iv: str, secret: str) -> str:
    """The text of a notice; ValueError if it is not one that was made with this secret."""
    vector, sealed = base64.b64decode(iv, validate=True), base64.b64decode(notification, validate=True)
    if len(vector) != BLOCK or not sealed or len(sealed) % BLOCK:
        raise ValueError("not whole blocks")
    decryptor = Cipher(algorithms.AES(key_of(secret)), modes.CBC(vector)).decryptor()
    unpadder = PKCS7(BLOCK * 8).unpadder()
    padded = decryptor.update(sealed) + decryptor.finalize()
    plain: bytes = unpadder.update(padded) + unpadder.finalize()
    return plain.decode()


def _unwrap(raw: RawPostback, secret: str) -> dict[str, Any]:
    envelope = raw.body_fields()
    try:
        notice = parse_json_object(decrypt(_text(envelope, "notification"), _text(envelope, "iv"), secret))
    except (
        ValueError,
        binascii.Error,
        InvalidBodyError,
    ) as error:  # one error for all causes: it must not reveal which step failed
        raise InvalidBodyError("the notice cannot be read") from error
    return notice | {"click": _click_of(notice)}


def _text(envelope: dict[str, Any], name: str) -> str:
    value = envelope.get(name)
    if not isinstance(value, str):
        raise InvalidBodyError(f"{name} is missing")
    # in a form, a plus that was not percent-encoded has become a space
    return value.replace(" ", "+")


def _click_of(notice: dict[str, Any]) -> str | None:
    codes = notice.get("trackingCodes") or []
    tracking = notice.get("affiliateTrackingParameters") or {}
    candidates = [*(codes if isinstance(codes, list) else [codes])]
    if isinstance(tracking, dict):
        candidates.append(tracking.get("extclid"))
    return next((code.strip() for code in candidates if isinstance(code, str) and code.strip()), None)


def _new_secret() -> str:
    """Return a secret as ClickBank accepts it: at most 16 capitals and digits."""
    return "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(16))


def _not_ours(fields: Fields) -> str | None:
    kind = str(fields.get("transactionType", ""))
    if kind not in KINDS:
        return f"transactionType {kind[:32]}"
    if fields.get("role") != "AFFILIATE":
        return f"role {str(fields.get('role'))[:32]}"
    return None


KINDS = {
    "SALE": Status.APPROVED,
    "BILL": Status.APPROVED,
    "RFND": Status.REVERSED,
    "CGBK": Status.REVERSED,
    "INSF": Status.REVERSED,
}

PRESET = Preset(
    title="ClickBank INS",
    fields={
        "click_id": ("click",),
        "user_id": ("click",),
        "transaction_id": ("receipt",),
        "amount": ("totalAccountAmount",),
        "payout": ("totalAccountAmount",),
        "currency": ("currency",),
        "status": ("transactionType",),
    },
    proof=lambda _raw, _fields, _secret: True,  # only ClickBank can encrypt with the secret
    needs_secret=True,
    new_secret=_new_secret,
    statuses={kind.lower(): status for kind, status in KINDS.items()},
    knows_common_names=False,
    only_receipt=_not_ours,
    account_field="affiliate",
    is_rebill=lambda fields: fields.get("transactionType") == "BILL",
    unwrap=_unwrap,
)

"""The sender's side of ClickBank's Instant Notification Service: encrypted notices."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def sealed(notice: Any, secret: str) -> dict[str, str]:
    """Return a notice in its envelope: AES-256-CBC, keyed with the first 32 hex digits of the secret's SHA-1."""
    key = hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest()[:32].encode()
    iv = secrets.token_bytes(16)
    padder = padding.PKCS7(128).padder()
    text = padder.update(json.dumps(notice).encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    notification = encryptor.update(text) + encryptor.finalize()
    return {"notification": base64.b64encode(notification).decode(), "iv": base64.b64encode(iv).decode()}

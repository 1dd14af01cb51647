"""Users of the local user pool, and their tokens."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
from dataclasses import dataclass

from local.stack import Stack


@dataclass(frozen=True)
class Account:
    user_id: str
    token: str

    def to_json(self) -> dict[str, str]:
        return {"userId": self.user_id, "token": self.token}


def sign_in(stack: Stack, name: str, *groups: str) -> Account:
    """Return the account of that name with a new password and access token; create it if it does not exist."""
    cognito, pool = stack.aws.cognito, stack.outputs["UserPoolId"]
    password = f"Aa1!{secrets.token_urlsafe(18)}"
    with contextlib.suppress(cognito.exceptions.UsernameExistsException):  # from an earlier run
        cognito.admin_create_user(UserPoolId=pool, Username=name, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password=password, Permanent=True)
    for group in groups:
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=group)
    token = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=stack.outputs["UserPoolClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": password},
    )["AuthenticationResult"]["AccessToken"]
    return Account(_subject(token), token)


def _subject(token: str) -> str:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    subject: str = claims["sub"]
    return subject

"""The commands of the guides work as described, in a folder with a stack file like that of `make up`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from local.accounts import sign_in
from local.workspace import clean_environment
from tests.guides import blocks
from tests.waiting import PATIENCE

STRICT_CURL = f'curl() {{ command curl --fail-with-body --noproxy "*" --max-time {PATIENCE:.0f} "$@" && echo; }}'
"""A refusal ends the script here, which the examples do not request."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, stack, new_product, new_person):
    products = {
        "secret": new_product(productId="demo-secret"),
        "open": new_product(productId="demo-open", postbackAuth={"mode": "open"}, approval="auto"),
    }
    demo = {
        "user": new_person().account.to_json(),
        "admin": sign_in(stack, "reader", "admins").to_json(),
        "products": {name: {"postbackToken": product.token} for name, product in products.items()},
    }
    folder = tmp_path_factory.mktemp("checkout")
    (folder / ".local").mkdir()
    (folder / ".local" / "stack.json").write_text(json.dumps({"api_url": stack.api_url, "demo": demo}))
    return folder


def run_commands(folder, guide) -> str:
    """Return what a shell prints when it runs all commands of the guide."""
    script = "\n".join(["set -euo pipefail", STRICT_CURL, *blocks(guide, "sh")])
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def test_the_advertisers_guide_credits_and_reverses(folder):
    printed = run_commands(folder, "advertisers.md")
    replies = [json.loads(line)["data"] for line in printed.splitlines() if line]
    assert [(reply["status"], reply["amount"]) for reply in replies] == [
        ("completed", 50),
        ("completed", 12.5),
        ("cancelled", 12.5),
    ]
    (shown,) = blocks("advertisers.md", "json")
    assert {name: type(value) for name, value in json.loads(shown)["data"].items()} == {
        name: type(value) for name, value in replies[0].items()
    }


def test_signatures_of_the_advertisers_guide_are_accepted(folder, person, public, new_product):
    scope: dict = {}
    exec(blocks("advertisers.md", "python")[0], scope)
    product = new_product(postbackAuth={"mode": "signature"})
    path = f"/api/v1/earn/postback?click_id={person.app.click(product.product_id).data['clickId']}&amount=5"
    assert public.call("GET", path, headers=scope["signed"](product.token, "m-1", path.encode())).data["amount"] == 5
    path = f"/api/v1/earn/postback?click_id={person.app.click(product.product_id).data['clickId']}"
    body = b'{"amount": 7}'
    headers = scope["signed"](product.token, "m-2", body)
    assert public.call("POST", path, data=body, headers=headers).data["amount"] == 7
    assert public.call("POST", path, data=b'{"amount": 8}', headers=headers).status == 403


def test_the_deployment_guide_restores_only_missing_rows(stack, tmp_path):
    dynamodb, (script,) = stack.aws.dynamodb, blocks("deploy.md", "python")
    (tmp_path / "put_back.py").write_text(script)
    key = [{"AttributeName": "userId", "KeyType": "HASH"}, {"AttributeName": "earningId", "KeyType": "RANGE"}]
    types = [{"AttributeName": one["AttributeName"], "AttributeType": "S"} for one in key]
    rows = {"restored": {"e-1": "old", "e-2": "lost"}, "live": {"e-1": "new"}}
    for table, notes in rows.items():
        dynamodb.create_table(TableName=table, KeySchema=key, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
        for earning_id, note in notes.items():
            item = {"userId": {"S": "u-1"}, "earningId": {"S": earning_id}, "note": {"S": note}}
            dynamodb.put_item(TableName=table, Item=item)
    done = subprocess.run(
        [sys.executable, "put_back.py", "restored", "live"],
        cwd=tmp_path,
        env=clean_environment(AWS_ENDPOINT_URL=stack.aws.endpoint_url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1 put back\n"), done.stderr
    found = {item["earningId"]["S"]: item["note"]["S"] for item in dynamodb.scan(TableName="live")["Items"]}
    assert found == {"e-1": "new", "e-2": "lost"}


def test_the_networks_guide_creates_working_networks(folder):
    printed = run_commands(folder, "networks.md")
    assert '{"success":true,"message":"Postback received"}' in printed
    assert '"outcome":"credited"' in printed
    assert '"affiliate":"your-nickname"' in printed
    assert '"message":"Network updated"' in printed
    assert printed.splitlines().count("OK") == 2

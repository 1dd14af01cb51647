"""Random sequences of reports for a few clicks and users, on the real tables: the ledger always balances."""

from __future__ import annotations

import itertools
from collections import defaultdict
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from local.stack import Stack
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.create_click import ClickRequest, CreateClick
from ricochet.clicks.product import Caps, Product
from ricochet.clicks.products_table import ProductsTable
from ricochet.clicks.users_table import UsersTable
from ricochet.dynamodb.wire import to_wire
from ricochet.errors import RequestError
from ricochet.intake.intake import Intake
from ricochet.intake.network import Network
from ricochet.intake.network_source import NetworkDirectory
from ricochet.intake.networks_table import NetworksTable
from ricochet.intake.raw_postback import RawPostback
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.credit_held_earnings import CreditHeldEarnings
from ricochet.ledger.credit_referrals import CreditReferral
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision, check_status
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.ledger.transaction import Ledger, LedgerTables
from ricochet.values import times
from ricochet.values.statuses import REAPPROVALS, TRANSITIONS, Status
from tests.integration.rows import Rows

numbers = itertools.count()
STATUSES = ["approved", "lead", "refund", "rejected", "trash", "chargeback", "approved"]


class LedgerMachine(RuleBasedStateMachine):
    """Intake and referrals in this process, on the deployed tables; the test itself passes on stream records."""

    stack: Stack
    reached: ClassVar[set[str]] = set()

    @initialize(
        reapproval=st.booleans(),
        several=st.booleans(),
        hold_days=st.sampled_from([0, 7]),
        cap=st.sampled_from([None, None, 1]),
    )
    def set_up(self, *, reapproval: bool, several: bool, hold_days: int, cap: int | None) -> None:
        client, table = self.stack.aws.dynamodb, self.stack.table
        self.run = next(numbers)
        self.reapproval = reapproval
        moment = times.now()
        products, clicks = ProductsTable(client, table("Products")), ClicksTable(client, table("Clicks"))
        networks = NetworksTable(client, table("Networks"))
        self.users = [f"user-{self.run}-{number}" for number in range(2)]
        self.referrer = f"referrer-{self.run}"
        users = UsersTable(client, table("Users"))
        users.register_code(self.users[0], "x")
        users.set_referrer(self.users[0], self.referrer, moment)
        product_id = f"ledger-{self.run}"
        products.create(
            Product(
                product_id=product_id,
                name="Ledger",
                task_url="https://example.com/",
                allowed_hosts=("example.com",),
                earn_up_to=Decimal(50),
                currency="USD",
                multiple_conversions=several,
                hold_days=hold_days,
                caps=Caps(per_user=cap),
                created_at=moment,
                updated_at=moment,
            )
        )
        self.key = f"ledger-network-{self.run:08d}"
        networks.create(
            Network(
                unique_key=self.key,
                network_id=f"ledger-{self.run}",
                name="Ledger",
                allow_reapproval=reapproval,
                created_at=moment,
                updated_at=moment,
            )
        )
        create = CreateClick(products, clicks)
        self.clicks = [
            create(user, product_id, ClickRequest(), ip="203.0.113.1", user_agent="", public_base_url="").click_id
            for user in (*self.users, self.users[0])
        ]
        tables = ("Earnings", "Wallets", "Conversions", "Clicks", "Receipts", "Counters")
        names = LedgerTables(*map(table, tables))
        ledger = Ledger(client, names)
        self.conversions = ConversionsTable(client, names.conversions)
        self.sources = NetworkDirectory(networks, products, clicks, Decimal("0.1"), "USD")
        self.intake = Intake(ledger, ReceiptsTable(client, names.receipts))
        self.referral = CreditReferral(users, ledger)
        self.decisions = DecideConversion(ledger, products, clicks)
        in_a_month = times.plus(moment, days=30)
        self.credit_held = CreditHeldEarnings(EarningsTable(client, names.earnings), ledger, clock=lambda: in_a_month)
        self.known: dict[str, Conversion] = {}
        self.credits: dict[str, set[str]] = defaultdict(set)

    @rule(
        transaction=st.integers(0, 2),
        shift=st.sampled_from([0, 0, 0, 0, 0, 0, 1, 3]),
        status=st.sampled_from(STATUSES),
        amount=st.sampled_from(["60", "5", None, "5", "20.5", "60"]),
    )
    def report(self, transaction: int, shift: int, status: str, amount: str | None) -> None:
        """Report a transaction: mostly with its own click, sometimes with another one or an unknown one."""
        click = transaction + shift
        click_id = self.clicks[click] if click < len(self.clicks) else f"unknown-{self.run}"
        query = f"click_id={click_id}&txid=t{transaction}&status={status}" + (f"&amount={amount}" if amount else "")
        self.receive(query)

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        if getattr(self, "queries", None):
            self.receive(data.draw(st.sampled_from(self.queries)))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), status=st.sampled_from(list(Status)))
    def correct(self, data: st.DataObject, status: Status) -> None:
        """An operator tries a correction, allowed or not."""
        conversion_id = data.draw(st.sampled_from(sorted(self.known)))
        decision = Decision("operator:somebody", status)
        try:
            settlement = self.decisions(decision, conversion_id, partial(check_status, status))
        except RequestError as refusal:
            self.reached.add(refusal.code)
            return
        self.reached.add(f"by hand: {settlement.outcome}")
        self.follow(conversion_id, by_hand=True)

    @precondition(lambda self: any(conversion.credit_after for conversion in self.known.values()))
    @rule()
    def wait_for_a_month(self) -> None:
        result = self.credit_held(lambda: True)
        assert not result.failed
        for conversion_id in [settlement.conversion.conversion_id for settlement in result.credited]:
            if conversion_id in self.known:
                self.reached.add("credited later")
                self.follow(conversion_id)

    def receive(self, query: str) -> None:
        self.queries = [*getattr(self, "queries", []), query]
        moment = times.now()
        raw = RawPostback(
            receipt_id=f"RCPT-{self.run}-{next(numbers)}",
            received_at=moment,
            method="GET",
            path=f"/postback/{self.key}",
            query=query,
            source_ip="203.0.113.1",
        )
        try:
            reply = self.intake(raw, self.sources.source(self.key, moment))
        except RequestError as refusal:
            self.reached.add(refusal.code)
            return
        self.reached.add(reply.outcome)
        if reply.led_to is not None:
            self.follow(reply.led_to.conversion_id)

    def follow(self, conversion_id: str, *, by_hand: bool = False) -> None:
        """Pass on the stream record: twice, as may happen."""
        new = self.conversions.get(conversion_id)
        assert new is not None
        old = self.known.get(conversion_id)
        if old is not None and old.status is not new.status:
            allowed = set(TRANSITIONS) | (set(REAPPROVALS) if self.reapproval or by_hand else set())
            targets = {
                (before, (TRANSITIONS | REAPPROVALS)[before, reported]) for before, reported in allowed if before
            }
            held_again = self.reapproval and new.hold_reason and (old.status, Status.APPROVED) in REAPPROVALS
            assert (old.status, new.status) in targets or (held_again and new.status is Status.PENDING)
            assert new.version == old.version + 1
        if old is None or old.credited != new.credited:
            assert new.updated_at not in self.credits[conversion_id]
            self.credits[conversion_id].add(new.updated_at)
        self.known[conversion_id] = new
        record: dict[str, Any] = {"dynamodb": {"NewImage": to_wire(new.to_item())}}
        if old is not None:
            record["dynamodb"]["OldImage"] = to_wire(old.to_item())
        for _ in range(2):
            self.referral(record)

    @invariant()
    def every_wallet_equals_its_ledger(self) -> None:
        if not hasattr(self, "known"):
            return
        rows = Rows(self.stack)
        wallets: dict[str, dict[str, Any]] = {}
        for user in (*self.users, self.referrer):
            mine = rows.of_user("Earnings", user)
            wallet = wallets[user] = next(iter(rows.of_user("Wallets", user)), {})
            assert wallet.get("balance", 0) == sum(r["amount"] for r in mine if r["status"] == "completed")
            assert wallet.get("pending", 0) == sum(r["amount"] for r in mine if r["status"] == "pending")
            assert all(("waitingShard" in row) == (row["status"] == "pending" and "reason" in row) for row in mine)
            assert all(("creditShard" in row) == ("creditAfter" in row) for row in mine)
        credited = sum(c.credited for c in self.known.values() if c.user_id == self.users[0])
        assert wallets[self.referrer].get("balance", 0) == credited / 10
        for user in self.users:
            assert wallets[user].get("balance", 0) == sum(c.credited for c in self.known.values() if c.user_id == user)


def test_the_ledger_balances_after_any_sequence_of_reports(stack: Stack):
    LedgerMachine.stack = stack
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
    assert LedgerMachine.reached >= {
        *(
            "credited",
            "pending",
            "held",
            "rejected",
            "trash",
            "reversed",
            "tombstone",
            "unmatched",
            "ignored",
            "repeat",
        ),
        *("CONFLICTING_REPLAY", "STATUS_NOT_POSSIBLE"),
        *("credit_later", "by hand: credited", "by hand: reversed"),
    }

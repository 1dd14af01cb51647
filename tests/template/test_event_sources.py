"""Whatever calls a function: its retries end, and what failed for good is kept and noticed."""

import re
from collections import Counter

import pytest

from tests.template.cloudformation import get_att, load

TEMPLATE = load()
QUEUES = TEMPLATE.of_type("SQS::Queue")
ALARMS = TEMPLATE.of_type("CloudWatch::Alarm")
DAY = 24 * 3600


def queue_of(arn: dict) -> str:
    (name,) = [queue for queue in QUEUES if arn == get_att(queue)]
    return name


def timeout_of(name: str) -> int:
    return TEMPLATE.functions()[name].get("Timeout", TEMPLATE.globals["Timeout"])


def alarms_of(queue: str) -> list[dict]:
    return [
        alarm
        for alarm in ALARMS.values()
        if alarm.get("Dimensions") == [{"Name": "QueueName", "Value": get_att(queue, "QueueName")}]
    ]


def test_there_are_no_other_kinds_of_event_source():
    kinds = {source["Type"] for function in TEMPLATE.functions().values() for source in function["Events"].values()}
    assert kinds <= {"HttpApi", "DynamoDB", "SQS", "Schedule"}
    assert not [kind for kind in TEMPLATE.resources.values() if "EventSourceMapping" in kind["Type"]]


@pytest.mark.parametrize("event", sorted(TEMPLATE.events("DynamoDB")))
def test_a_stream_is_retried_so_often_and_so_long_and_then_told_of(event):
    _, source = TEMPLATE.events("DynamoDB")[event]
    assert 1 <= source["MaximumRetryAttempts"] <= 100
    assert 3600 <= source["MaximumRecordAgeInSeconds"] < DAY  # a stream keeps a record for a day
    assert source["BisectBatchOnFunctionError"] is True
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert source["DestinationConfig"]["OnFailure"]["Type"] == "SQS"
    assert alarms_of(queue_of(source["DestinationConfig"]["OnFailure"]["Destination"]))


@pytest.mark.parametrize("event", sorted(TEMPLATE.events("SQS")))
def test_a_queue_is_read_message_by_message_and_its_poison_is_parked(event):
    name, source = TEMPLATE.events("SQS")[event]
    queue = QUEUES[queue_of(source["Queue"])]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue["VisibilityTimeout"] >= 6 * timeout_of(name)
    assert 1 <= queue["RedrivePolicy"]["maxReceiveCount"] <= 10
    parking = queue_of(queue["RedrivePolicy"]["deadLetterTargetArn"])
    assert "RedrivePolicy" not in QUEUES[parking]
    assert alarms_of(parking)
    assert source["ScalingConfig"]["MaximumConcurrency"] >= 2


@pytest.mark.parametrize("event", sorted(TEMPLATE.events("Schedule")))
def test_a_schedule_is_retried_so_often_and_then_told_of(event):
    name, source = TEMPLATE.events("Schedule")[event]
    number, unit = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", source["Schedule"]).groups()
    period = int(number) * {"minute": 60, "hour": 3600, "day": DAY}[unit]
    assert timeout_of(name) <= period
    assert 0 <= source["RetryPolicy"]["MaximumRetryAttempts"] <= 10
    assert 60 <= source["RetryPolicy"]["MaximumEventAgeInSeconds"] <= DAY
    assert alarms_of(queue_of(source["DeadLetterConfig"]["Arn"]))


def test_money_that_is_due_and_cannot_be_credited_rings_an_alarm_after_a_second_run():
    (alarm,) = [one for one in ALARMS.values() if one.get("MetricName") == "HeldEarningsFailed"]
    (schedule,) = [
        source["Schedule"] for name, source in TEMPLATE.events("Schedule").values() if name == "CreditHeldEarnings"
    ]
    assert schedule == f"rate({alarm['Period'] // 60} minutes)"
    assert (alarm["Threshold"], alarm["DatapointsToAlarm"]) == (0, 2)


@pytest.mark.parametrize("event", sorted(TEMPLATE.events("Schedule")))
def test_a_scheduled_run_that_fails_is_told_of_like_one_that_could_not_begin(event):
    name, source = TEMPLATE.events("Schedule")[event]
    config = TEMPLATE.functions()[name]["EventInvokeConfig"]
    assert 0 <= config["MaximumRetryAttempts"] <= 2
    assert 60 <= config["MaximumEventAgeInSeconds"] <= 3600
    on_failure = config["DestinationConfig"]["OnFailure"]
    assert on_failure == {"Type": "SQS", "Destination": source["DeadLetterConfig"]["Arn"]}


@pytest.mark.parametrize("queue", sorted(QUEUES))
def test_every_queue_has_an_alarm_and_keeps_what_it_has(queue):
    (alarm,) = alarms_of(queue)
    assert QUEUES[queue]["MessageRetentionPeriod"] == 14 * DAY
    assert QUEUES[queue]["SqsManagedSseEnabled"] is True
    assert alarm["Namespace"] == "AWS/SQS"
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "notBreaching")
    is_read = any(source["Queue"] == get_att(queue) for _, source in TEMPLATE.events("SQS").values())
    if is_read:  # work in progress is no alarm, work that is not worked off is
        assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
        assert alarm["Threshold"] > 0
    else:  # a person must look at each message
        assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 0)


def test_every_alarm_says_what_is_wrong():
    descriptions = [alarm["AlarmDescription"] for alarm in ALARMS.values()]
    assert all(len(text.split()) >= 5 for text in descriptions)
    assert len(set(descriptions)) == len(descriptions)


def test_waiting_retries_alone_do_not_ring_the_alarm_of_their_queue():
    (alarm,) = alarms_of("FailedDeliveriesQueue")
    assert alarm["Threshold"] > 900 * 1.1  # the longest wait that a delivery spends in the queue


def test_a_postback_of_the_greatest_size_fits_into_its_queues():
    for queue in ("RetryPostbacksQueue", "ParkedPostbacksQueue"):
        assert QUEUES[queue]["MaximumMessageSize"] >= 256 * 1024 * 4 / 3 + 16 * 1024


def test_every_stream_has_exactly_two_readers_and_there_is_one_stream():
    streams = [name for name, table in TEMPLATE.of_type("DynamoDB::Table").items() if "StreamSpecification" in table]
    readers = Counter(source["Stream"]["Fn::GetAtt"][0] for _, source in TEMPLATE.events("DynamoDB").values())
    assert streams == ["Conversions"]
    assert readers == {"Conversions": 2}
    assert {name for name, _ in TEMPLATE.events("DynamoDB").values()} == {"DistributeConversions", "CreditReferrals"}

"""Event sources: retries are bounded, and what fails permanently is kept and raises an alarm."""

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
def test_a_stream_has_bounded_retries_and_a_failure_destination_with_an_alarm(event):
    _, source = TEMPLATE.events("DynamoDB")[event]
    assert 1 <= source["MaximumRetryAttempts"] <= 100
    assert 3600 <= source["MaximumRecordAgeInSeconds"] < DAY  # a stream keeps a record for a day
    assert source["BisectBatchOnFunctionError"] is True
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert source["DestinationConfig"]["OnFailure"]["Type"] == "SQS"
    assert alarms_of(queue_of(source["DestinationConfig"]["OnFailure"]["Destination"]))


@pytest.mark.parametrize("event", sorted(TEMPLATE.events("SQS")))
def test_a_queues_messages_fail_one_by_one_and_are_parked_in_the_end(event):
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
def test_a_schedule_has_bounded_retries_and_a_dead_letter_queue_with_an_alarm(event):
    name, source = TEMPLATE.events("Schedule")[event]
    number, unit = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", source["Schedule"]).groups()
    period = int(number) * {"minute": 60, "hour": 3600, "day": DAY}[unit]
    assert timeout_of(name) <= period
    assert 0 <= source["RetryPolicy"]["MaximumRetryAttempts"] <= 10
    assert 60 <= source["RetryPolicy"]["MaximumEventAgeInSeconds"] <= DAY
    assert alarms_of(queue_of(source["DeadLetterConfig"]["Arn"]))


def test_due_earnings_that_cannot_be_credited_raise_an_alarm_after_a_second_run():
    (alarm,) = [one for one in ALARMS.values() if one.get("MetricName") == "HeldEarningsFailed"]
    (schedule,) = [
        source["Schedule"] for name, source in TEMPLATE.events("Schedule").values() if name == "CreditHeldEarnings"
    ]
    assert schedule == f"rate({alarm['Period'] // 60} minutes)"
    assert (alarm["Threshold"], alarm["DatapointsToAlarm"]) == (0, 2)


@pytest.mark.parametrize("event", sorted(TEMPLATE.events("Schedule")))
def test_a_failed_run_goes_to_the_same_queue_as_one_that_could_not_start(event):
    name, source = TEMPLATE.events("Schedule")[event]
    config = TEMPLATE.functions()[name]["EventInvokeConfig"]
    assert 0 <= config["MaximumRetryAttempts"] <= 2
    assert 60 <= config["MaximumEventAgeInSeconds"] <= 3600
    on_failure = config["DestinationConfig"]["OnFailure"]
    assert on_failure == {"Type": "SQS", "Destination": source["DeadLetterConfig"]["Arn"]}


@pytest.mark.parametrize("queue", sorted(QUEUES))
def test_every_queue_has_an_alarm_and_keeps_its_messages_for_two_weeks(queue):
    (alarm,) = alarms_of(queue)
    assert QUEUES[queue]["MessageRetentionPeriod"] == 14 * DAY
    assert QUEUES[queue]["SqsManagedSseEnabled"] is True
    assert alarm["Namespace"] == "AWS/SQS"
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "notBreaching")
    is_read = any(source["Queue"] == get_att(queue) for _, source in TEMPLATE.events("SQS").values())
    if is_read:  # waiting messages are normal, but not old ones
        assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
        assert alarm["Threshold"] > 0
    else:  # an operator must look at each message
        assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 0)


def test_every_alarm_says_what_is_wrong():
    descriptions = [alarm["AlarmDescription"] for alarm in ALARMS.values()]
    assert all(len(text.split()) >= 5 for text in descriptions)
    assert len(set(descriptions)) == len(descriptions)


def test_waiting_retries_alone_do_not_raise_the_alarm_of_their_queue():
    (alarm,) = alarms_of("FailedDeliveriesQueue")
    assert alarm["Threshold"] > 900 * 1.1  # the longest wait that a delivery spends in the queue


def test_the_largest_postback_fits_into_its_queues():
    for queue in ("RetryPostbacksQueue", "ParkedPostbacksQueue"):
        assert QUEUES[queue]["MaximumMessageSize"] >= 256 * 1024 * 4 / 3 + 16 * 1024


def test_the_only_stream_has_exactly_two_readers():
    streams = [name for name, table in TEMPLATE.of_type("DynamoDB::Table").items() if "StreamSpecification" in table]
    readers = Counter(source["Stream"]["Fn::GetAtt"][0] for _, source in TEMPLATE.events("DynamoDB").values())
    assert streams == ["Conversions"]
    assert readers == {"Conversions": 2}
    assert {name for name, _ in TEMPLATE.events("DynamoDB").values()} == {"DistributeConversions", "CreditReferrals"}

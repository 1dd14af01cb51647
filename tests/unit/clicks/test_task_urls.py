"""Task URLs lead to the product's own hosts only, and our parameters leave the rest of the URL unchanged."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from ricochet.clicks.task_urls import check_task_url, postback_url, redirect_url
from ricochet.errors import TaskUrlNotAllowedError
from ricochet.http.plain_url import MAX_LENGTH, host_of
from tests.unit.builders import CLICK_ID

OURS = ("shop.example", "Pay.Shop.example:8443")
POSTBACK = postback_url("https://api.example", CLICK_ID)
ADDED = (
    f"click_id={CLICK_ID}&postback_url=https%3A%2F%2Fapi.example%2Fapi%2Fv1%2Fearn%2Fpostback%3Fclick_id%3D{CLICK_ID}"
)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "http://shop.example/a/b?c=d#e",
        "HTTPS://SHOP.EXAMPLE/",
        "https://shop.example:443/",
        "http://shop.example:80/",
        "https://shop.example./",
        "https://pay.shop.example:8443/x",
        "https://shop.example/@evil.example",
        "https://shop.example/?next=https://evil.example/",
        "https://shop.example/#https://evil.example/",
        "https://shop.example/" + "a" * (MAX_LENGTH - len("https://shop.example/")),
    ],
)
def test_a_url_on_an_allowed_host_is_used_unchanged(url):
    assert check_task_url(url, OURS) is url


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://evil.example/",
            "https://shop.example.evil.example/",
            "https://evilshop.example/",
            "https://example/",
        ),
        *("https://sub.shop.example/", "https://evil.example/shop.example", "https://evil.example/?shop.example"),
        *("https://shop.example:8443/", "http://shop.example:443/", "https://pay.shop.example/", "https://[::1]/"),
        *("https://shop.example@evil.example/", "https://u:p@shop.example/", "https://shop.example:443@evil.example/"),
        *("https://@shop.example/", "https://evil.example#@shop.example/", "https://evil.example?@shop.example/"),
        *("https://evil.example\\@shop.example/", "https://shop.example\\.evil.example/", "https:\\\\shop.example\\"),
        *(
            "//shop.example/",
            "///shop.example/",
            "/offer",
            "shop.example",
            "",
            "https:/shop.example",
            "https:shop.example",
        ),
        *("https:///shop.example/", "https://", "https://:443/", "https://./"),
        *("javascript:alert(1)", "javascript://shop.example/%0aalert(1)", "data:text/html,x", "ftp://shop.example/"),
        *(" https://shop.example/", "https://shop.example/ ", "https://shop.example/a b", "https://shop.example\t/"),
        *("java\nscript:alert(1)", "https://shop.example\x00.evil.example/", "https://shop.example\r\nHost: evil/"),
        *(
            "https://shop.example:/",
            "https://shop.example:0/",
            "https://shop.example:65536/",
            "https://shop.example:x/",
        ),
        *("https://shop.example%2eevil.example/", "https://shop.example%00/", "https://shop.example;evil.example/"),
        *(
            "https://shop\u3002example/",
            "https://\uff53hop.example/",
            "https://\u017fhop.example/",
            "https://sh\u00f6p.example/",
        ),
        *("https://shop.example\u200b/", "https://shop.example\u3000/", "https://shop.example:\u0664\u0664\u0663/"),
        *("https://[shop.example]/", "https://[::1", "https://shop.example/" + "a" * MAX_LENGTH),
    ],
)
def test_a_url_on_any_other_host_is_refused(url):
    with pytest.raises(TaskUrlNotAllowedError):
        check_task_url(url, OURS)


def test_a_url_over_2048_characters_is_refused():
    assert MAX_LENGTH == 2048


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Shop.Example/x", "shop.example"),
        ("https://shop.example:443", "shop.example"),
        ("http://shop.example:443", "shop.example:443"),
        ("https://shop.example.:8443", "shop.example:8443"),
    ],
)
def test_a_host_includes_its_port_unless_it_is_the_schemes_default(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("https://s.example", f"https://s.example?{ADDED}"),
        ("https://s.example/x", f"https://s.example/x?{ADDED}"),
        ("https://s.example/x?", f"https://s.example/x?{ADDED}"),
        ("https://s.example/x#part", f"https://s.example/x?{ADDED}#part"),
        ("https://s.example/x?b=2&a=1#part", f"https://s.example/x?b=2&a=1&{ADDED}#part"),
    ],
)
def test_our_parameters_follow_the_urls_own(url, becomes):
    assert redirect_url(url, CLICK_ID, POSTBACK) == becomes


@pytest.mark.parametrize(
    "query", ["a=1+2%20%2b&b=%C3%A9&b=%e9", "flag&empty=&c=a=b", "u=https://x.example/?y=z", "q=;,:@!$'()*", "%41=1"]
)
def test_the_urls_own_query_is_kept_unchanged(query):
    redirect = redirect_url(f"https://s.example/x?{query}", CLICK_ID, POSTBACK)
    assert redirect == f"https://s.example/x?{query}&{ADDED}"


@pytest.mark.parametrize(
    "smuggled",
    [
        "click_id=1",
        "CLICK_ID=1",
        "Click_Id",
        "click%5Fid=1",
        "%63lick_id=1",
        "+click_id=1",
        "postback_url=https://evil.example/",
    ],
)
def test_our_click_id_and_postback_url_replace_the_urls_own(smuggled):
    redirect = redirect_url(f"https://s.example/x?a=1&{smuggled}&b=2", CLICK_ID, POSTBACK)
    assert redirect == f"https://s.example/x?a=1&b=2&{ADDED}"


def test_the_advertiser_reads_the_parameters_that_we_added():
    read = dict(parse_qsl(urlsplit(redirect_url("https://s.example/?a=1", CLICK_ID, POSTBACK)).query))
    assert read == {"a": "1", "click_id": CLICK_ID, "postback_url": POSTBACK}

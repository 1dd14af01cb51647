"""Plain http(s) URLs, normalized as `requests` sends them, since those are the bytes that are signed."""

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ricochet.http.plain_url import normalized_url, target_of

# What `requests` 2.32 made of these URLs when it still normalized them.
VECTORS = [
    ("https://p.example", "https://p.example/"),
    ("https://p.example?c=1", "https://p.example/?c=1"),
    ("https://p.example/", "https://p.example/"),
    ("https://p.example/#", "https://p.example/"),
    ("https://p.example/?#", "https://p.example/"),
    ("https://p.example/cb?", "https://p.example/cb"),
    ("https://p.example/cb#part", "https://p.example/cb#part"),
    ("https://p.example/cb?a=1#b?c=d", "https://p.example/cb?a=1#b?c=d"),
    ("https://p.example#part", "https://p.example/#part"),
    ("HTTPS://P.Example/CB?Q=A", "https://p.example/CB?Q=A"),
    ("http://p.example:80/cb", "http://p.example:80/cb"),
    ("https://p.example:443/cb", "https://p.example:443/cb"),
    ("https://p.example:8443/a/b;x=1?q=a,b", "https://p.example:8443/a/b;x=1?q=a,b"),
    ("https://p.example:08443/cb", "https://p.example:8443/cb"),
    ("https://p.example.:8443/cb", "https://p.example.:8443/cb"),
    ("https://under_score.example/cb", "https://under_score.example/cb"),
    ("http://127.0.0.1:18080/cb?a=1", "http://127.0.0.1:18080/cb?a=1"),
    ("http://0x7f.1/cb", "http://0x7f.1/cb"),
    ("https://[2001:DB8::1]/cb", "https://[2001:db8::1]/cb"),
    ("https://[2001:db8::1]:8443/cb?x=1", "https://[2001:db8::1]:8443/cb?x=1"),
    ("https://p.example//cb", "https://p.example//cb"),
    ("https://p.example//", "https://p.example//"),
    ("https://p.example///a//b/", "https://p.example///a//b/"),
    ("https://p.example/a..b/.c/...", "https://p.example/a..b/.c/..."),
    ("https://p.example/cb?back=https%3a%2f%2fx.example", "https://p.example/cb?back=https%3A%2F%2Fx.example"),
    ("https://p.example/cb?back=https://x.example/?y=1", "https://p.example/cb?back=https://x.example/?y=1"),
    ("https://p.example/cb?back=%7ex%41", "https://p.example/cb?back=~xA"),
    ("https://p.example/%e9%C3%a9", "https://p.example/%E9%C3%A9"),
    ("https://p.example/%2F%2f%61", "https://p.example/%2F%2Fa"),
    ("https://p.example/%41%", "https://p.example/%2541%25"),
    ("https://p.example/100%?x=%41", "https://p.example/100%25?x=A"),
    ("https://p.example/cb?x=%", "https://p.example/cb?x=%25"),
    ("https://p.example/cb?x=%zz&y=%41", "https://p.example/cb?x=%25zz&y=%2541"),
    ("https://p.example/cb?x=%%41", "https://p.example/cb?x=%25%2541"),
    ("https://p.example/cb?x=%4", "https://p.example/cb?x=%254"),
    ("https://p.example/%%1a?x=%7e%zz%e9", "https://p.example/%25%251A?x=%257E%25zz%25E9"),
    ("https://p.example/%41?x=%", "https://p.example/A?x=%25"),
    ("https://p.example/cb?sub[]=1", "https://p.example/cb?sub%5B%5D=1"),
    ("https://p.example/a[1]", "https://p.example/a%5B1%5D"),
    ("https://p.example/cb?x=a|b^c`d", "https://p.example/cb?x=a%7Cb%5Ec%60d"),
    ('https://p.example/cb?x="<>{}"', "https://p.example/cb?x=%22%3C%3E%7B%7D%22"),
    ('https://p.example/{"a"}/<b>', "https://p.example/%7B%22a%22%7D/%3Cb%3E"),
    ("https://p.example/cb?x=é", "https://p.example/cb?x=%C3%A9"),
    ("https://p.example/é/ü?x=日本#é", "https://p.example/%C3%A9/%C3%BC?x=%E6%97%A5%E6%9C%AC#%C3%A9"),
    ("https://p.example/😀?x=😀", "https://p.example/%F0%9F%98%80?x=%F0%9F%98%80"),
    ("https://p.example/cb?x=a+b%20c%2Bd", "https://p.example/cb?x=a+b%20c%2Bd"),
    ("https://p.example/cb?a=1?b=2", "https://p.example/cb?a=1?b=2"),
    ("https://p.example/a:b@c/d?e:f@g", "https://p.example/a:b@c/d?e:f@g"),
    ("https://p.example/cb?a=b=c&&d&=e", "https://p.example/cb?a=b=c&&d&=e"),
    ("https://p.example/!$&'()*+,;=:@-._~", "https://p.example/!$&'()*+,;=:@-._~"),
    ("https://p.example/cb?!$&'()*+,;=:@-._~/?", "https://p.example/cb?!$&'()*+,;=:@-._~/?"),
    ("https://p.example/cb?x=#%", "https://p.example/cb?x=#%25"),
    ("https://p.example/cb#%41%zz", "https://p.example/cb#%2541%25zz"),
    ("https://p.example/cb#a#b", "https://p.example/cb#a%23b"),
    ("https://p.example/%7E~%2d-%5F_%2e.x", "https://p.example/~~--__..x"),
    ("https://p.example/cb?x=%00%0d%0a%7f", "https://p.example/cb?x=%00%0D%0A%7F"),
    ("https://p.example/cb?x=%u00e9", "https://p.example/cb?x=%25u00e9"),
    ("https://p.example/cb;jsessionid=1?x=1;y=2", "https://p.example/cb;jsessionid=1?x=1;y=2"),
    ("https://xn--bcher-kva.example/cb", "https://xn--bcher-kva.example/cb"),
    ("https://a..b.example/cb", "https://a..b.example/cb"),
    ("https://p.example/cb?x=\xa0y", "https://p.example/cb?x=%C2%A0y"),
    ("https://p.example/cb?x=1&y=%25", "https://p.example/cb?x=1&y=%25"),
    ("https://p.example/%25%32%35", "https://p.example/%2525"),
]
URLS = st.builds(
    "https://p.example{}?{}#{}".format,
    st.text("/ab.~%41zé😀[]{}|^`\"<>:@;=+&!$'()*,-_").map(lambda path: f"/{path}".replace(".", "..x")),
    *[st.text("/ab.~%41zé😀[]{}|^`\"<>:@;=+&!$'()*,-_?")] * 2,
)


def prepared(url: str) -> requests.PreparedRequest:
    return requests.Request("GET", url).prepare()


@pytest.mark.parametrize(("url", "normalized"), VECTORS)
def test_url_is_normalized_byte_for_byte(url, normalized):
    assert normalized_url(url) == normalized


@pytest.mark.parametrize("url", [url for url, _ in VECTORS])
def test_requests_still_normalizes_urls_in_the_same_way(url):
    assert normalized_url(url) == prepared(url).url
    assert target_of(normalized_url(url)) == prepared(url).path_url


@given(url=URLS)
def test_any_url_is_normalized_as_requests_does(url):
    assert normalized_url(url) == prepared(url).url
    assert normalized_url(normalized_url(url)) == normalized_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "/cb?token=s3cret", "p.example/cb", "https://", "https:///cb", "http:p.example"),
        *("https://*.p.example/", "https://.p.example/", "https://p ex/", "https://p%41.example/"),
        *("https://[::1/", "https://[::1]x/", "https://p.example:99999/", "https://p.example:x/"),
        *("ftp://p.example/", "httpx://p.example/", "mailto:a@b", "https://user:pw@p.example/"),
        *("https://b\u00fccher.example/", "https://p.example\\@evil.example/", "https://p.example:/"),
    ],
)
def test_anything_else_is_refused(url):
    with pytest.raises(ValueError, match=r"not a plain http\(s\) URL|Invalid IPv6|[Pp]ort|netloc"):
        normalized_url(url)

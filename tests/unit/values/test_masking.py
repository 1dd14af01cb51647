"""Secret values in a URL are masked, and everything else stays unchanged."""

import pytest

from ricochet.values.masking import SECRET_NAMES, masked


@pytest.mark.parametrize(
    "name",
    [
        *sorted(SECRET_NAMES),
        *("TOKEN", "Api_Key", "apiKey", "APIKey", "X-Api-Key", "authToken", "client_secret", "key2", "postback.token"),
        *(
            "authtoken",
            "accesstoken",
            "sessiontoken",
            "clientsecret",
            "SECRETKEY",
            "privatekey",
            "userpass",
            "mypassword",
        ),
        *("%74oken", "security%5Ftoken"),
    ],
)
def test_secrets_in_a_url_are_not_shown(name):
    before, after = "https://p.example/a%2fb?click=%7e1+2&&b=%e9&", "&x=&y&token#part"
    assert masked(f"{before}{name}=s3=cret%20{after}") == f"{before}{name}=***{after}"
    assert masked(f"https://p.example/cb?{name}=s3cret#part") == f"https://p.example/cb?{name}=***#part"


@pytest.mark.parametrize(
    "url",
    [
        *("https://p.example/cb?b=%e9+1&&a", "https://p.example/token=1/?x=token", "https://p.example", ""),
        *("https://p.example/?", "https://p.example/?tokens=1&token", "https://p.example/#&a=1", "/?x=\u00e9[]|"),
        *("/?keyword=shoes&author=ann&hashtag=x&monkey=1", "/?passage=1&signed=1&authority=1&c={click_id}"),
    ],
)
def test_a_url_without_secrets_is_shown_as_it_is(url):
    assert masked(url) == url

"""What is taken out of a failure before it is shown, and what is not."""

import signal

import pytest

from handnet.study.redaction import redacted

PLANTED = "pl4nted-9c1f"


@pytest.mark.parametrize("scheme", ["Basic {}", "Bearer {}", "bearer  {}", "Basic%20{}", "Negotiate {}"])
@pytest.mark.parametrize("secret", ["cmVhZGVyOnNlY3JldA==", "letmein", "e30.e30.x-_y", "dTpw"])
@pytest.mark.parametrize(
    "text",
    [
        "Authorization: {}",
        "it got {} and is closed",
        "{{'Authorization': '{}'}}",
        "proxy-authorization={}; x",
        "GET /x?a=1&key={} HTTP/1.1",
        "Set-Cookie: session={}; Path=/",
        "cookie: {}",
        "X-Api-Key: {}",
        "?sig={}",
    ],
)
def test_no_proof_of_who_asks_is_shown(scheme: str, secret: str, text: str) -> None:
    assert secret not in redacted(text.format(scheme.format(secret)))


@pytest.mark.parametrize(
    "text",
    [
        "No space left on device: '/home/a/runs: 3'",
        "design=tpe, unexpected token < at 12:30",
        "404 != 200 for /api/2.0/mlflow/runs/create",
        "see http://127.0.0.1:5000/#/experiments/3/runs",
        "a@b.c wrote it",
        "(sqlite3.OperationalError) database is locked",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    ["postgresql://u:{}@h/db", "x https://{}@h:1/ y", "h?user=u&password={}&x=1", "token={}", "a://u:p@{}@h"],
)
def test_addresses_are_shown_without_their_passwords(text: str) -> None:
    assert PLANTED not in redacted(text.format(PLANTED))
    assert (
        redacted("see http://127.0.0.1:5000/#/runs or a@b.c") == "see http://127.0.0.1:5000/#/runs or a@b.c"
    )


@pytest.mark.parametrize(
    "text",
    [
        '{{"password": "two {0} words"}}',
        "secret: 'it is {0}, here'",
        '"token":"a\\"{0}"',
        "&quot;password&quot;:&quot;a {0}&quot;",
        "x?token%3D{0}",
        "%22token%22%3A%22{0}%22",
        "bearer: {0}",
        "it got eyJhbGciOiJIUzI1NiJ9.{0}.abc",
    ],
)
def test_secrets_are_found_in_quotes_and_escapes(text: str) -> None:
    assert PLANTED not in redacted(text.format(PLANTED))


AWKWARD = "a 1 - \\ @ ' \" a: :// token token= sig &quot; %22 %3D ?a= x-key- eyJ-".split(" ")


@pytest.mark.parametrize("unit", [*AWKWARD, " ", "basic "])
@pytest.mark.parametrize("before", ["", 'token="', "x-"])
@pytest.mark.parametrize("after", ["", "=x"])
def test_a_long_text_takes_no_long_time(unit: str, before: str, after: str) -> None:
    # A text of this length takes below 0.1 s; where the time grows with the square of it, up to minutes.
    def late(*_: object) -> None:
        raise TimeoutError

    former = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, 5)  # seconds of this process's own computing
    try:
        redacted(before + unit * (100_000 // len(unit)) + after)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)

"""What must not be shown is taken out of what a failure or a server says."""

import base64
import html
import os
import re
from urllib.parse import quote, quote_plus

# Part of the name of what must not be shown: of a variable of the environment, and of what a server repeats.
SECRET = "password|passwd|passphrase|(?<![a-z])pwd|secret|token|api[-_]?key|access[-_]?key|credential"
NAMED = f"{SECRET}|signature|session|jwt|csrf|(?<![a-z])(?:sig|sid|auth)(?![a-z])"
QUOTE = "[\"']|&quot;|&#34;|&#39;|%22|%27"  # of a name or a value, as a page or an address may write it
# What `redacted` takes out of a text by its form, and what it leaves of it. A match begins only where a word
# or an address begins, and the atomic group (?>...) goes on to the first place that fits and never to a later
# one, so the time grows with the length of the text and not with its square.
SHOWN = [
    (re.compile(r"(?<!\S)((?>\S*?://))\S*@"), r"\1***@"),
    (
        re.compile(
            r"(?<![^\s/@])((?>[^\s/@]*?(?<![^\s/:@'\"])(?=[^\s/:@'\"]+:)))"
            r"[^\s/:@'\"]+:[^\s/@]+@(?=\w)"
        ),
        r"\1***@",
    ),
    (re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)\b.*"), r"\1: ***"),
    (re.compile(r"(?i)(?<![\w-])((?>[\w-]*?\bx-)[\w-]*(?:auth|key|token)\w*).*"), r"\1: ***"),
    (re.compile(r"(?i)\b(basic|bearer|digest|negotiate|ntlm)((?:[\s:]|%20|\+)+)\S+"), r"\1\2***"),
    (re.compile(r"([?&][\w.\-\[\]]+=)[^\s&#'\"<>]+"), r"\1***"),
    (
        re.compile(
            rf"(?i)(?<![\w-])((?>[\w-]*?(?:{NAMED}))[\w-]*(?:{QUOTE})?\s*(?:[=:]|%3[ad])\s*)"
            rf"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|&quot;.*?&quot;|(?:{QUOTE})?[^\s&;,<>'\"]+[\"']?)"
        ),
        r"\1***",
    ),
    # A token of JSON begins so.
    (re.compile(r"(?<![\w-])((?>[\w-]*?\b(?=eyJ)))eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), r"\1***"),
]


def redacted(text: str) -> str:
    """The text without what opens a door, as an error or a server's page may repeat it.

    That is user and password of an address, the values of its query, what a header of a request proves with,
    and the secrets of this process's environment by their value. Too much goes rather than too little.

    >>> redacted("http://me:pw@host/x?token=t: Authorization: Basic bWU6cHc=")
    'http://***@host/x?token=*** Authorization: ***'
    """
    for secret in _secrets():
        text = text.replace(secret, "***")
    for pattern, left in SHOWN:
        text = pattern.sub(left, text)
    return text


def _secrets() -> list[str]:
    """The secrets of the environment in the forms a page may have them in, the longest first."""
    values = [value for name, value in os.environ.items() if re.search(f"(?i){SECRET}", name)]
    values = [value for value in values if len(value) > 5]  # a shorter one may be any word
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    pairs = [base64.b64encode(f"{user}:{value}".encode(errors="replace")).decode() for value in values]
    forms = [form(value) for value in values for form in (str, html.escape)]
    forms += [form(value, errors="replace") for value in values for form in (quote, quote_plus)]
    return sorted({*forms, *pairs}, key=len, reverse=True)

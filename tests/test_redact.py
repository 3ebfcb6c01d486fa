"""Secrets never come out, and harmless text comes out as it went in."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.redact import _COMMON, LONGEST_LINE, MASK, Redactor, Stream, redact

MADE = "Zq8vK3xW7pLm2nRt"  # looks like a secret
WORD = "dragonfly"  # does not
JWT = (
    "eyJhbGciOiJIUzI1NiJ9.eyJ2aWRlbyI6eyJhZ2VudCI6dHJ1ZX0sImlzcyI6ImRldmtleSIsImV4cCI6MTc5NTQyNDEyMiwibmJmIjoxNzk1NDAy"
    "NTIyfQ.KaLfFrh15W-m8nVkcpZ9gXlGpaTADuY8XfyCzyKJ5n8"
)

# Every line holds one secret, `@@`; after it the rest of the line must be as before.
SETTINGS = r"""
LIVEKIT_API_SECRET=@@
export LIVEKIT_API_SECRET=@@
  - LIVEKIT_API_SECRET=@@
  LIVEKIT_API_SECRET: @@
      LIVEKIT_API_SECRET: "@@"
run -e LIVEKIT_API_SECRET=@@ -e LIVEKIT_URL=ws://localhost
"Env":["LIVEKIT_API_SECRET=@@","LIVEKIT_URL=ws://localhost"]
"PASSWORD=@@ correct horse"
PASSWORD="@@ correct horse"
    apiSecret: "@@",
apiSecret: '@@',
const apiSecret = '@@';
const token: string = "@@";
api_secret="@@"
api_secret = "@@"
api_secret: str = "@@"
AccessToken(api_key="devkey", api_secret="@@")
{"level":"info","api_secret":"@@","room":"r"}
{"msg":"job {\"turnPassword\":\"@@\",\"room\":\"r\"}"}
{'turnPassword': '@@', 'room': 'r'}
{"urls":["turn:host"],"username":"u","credential":"@@"}
    turnPassword: '@@',
keys: {devkey: @@}
"keys":{"devkey":"@@"}
LIVEKIT_KEYS="devkey: @@"
LIVEKIT_KEYS=devkey: @@
  LIVEKIT_KEYS: "devkey: @@"
livekit-server --keys "devkey: @@"
keys:¶  devkey: @@¶logging:¶  level: info
livekit-1  | keys:¶livekit-1  |   devkey: "@@"¶livekit-1  | logging:¶livekit-1  |   level: info
  "keys": {¶    "devkey": "@@"¶  },¶  "level": "information"
- name: LIVEKIT_API_SECRET¶  value: "@@"¶- name: LOG_LEVEL¶  value: information
  api_secret: >-¶    @@¶  room: harmless
Authorization: Bearer @@
"authorization":"Bearer @@","x":1
["authorization","Basic @@"]
redis://user:@@@host:6379/0
redis://:@@@host
postgres://u:a/b#c?@@@host/db
https://user:%40@@@host/path?x=a@b
redis%3A%2F%2Fuser%3A@@%40host
OPENAI_API_KEY=@@
DEEPGRAM_API_KEY: @@
openaiApiKey: '@@'
{'x-api-key': '@@'}
SLACK_BOT_TOKEN=@@
DB_PASSWORD=@@
SMTP_PASS=@@
{ user: 'me', pass: '@@' }
  password: @@  # at home
passwd=@@
client_secret: '@@'
'password' => '@@'
process.env.LIVEKIT_API_SECRET ?? '@@'
process.env.LIVEKIT_API_SECRET || "@@"
os.environ.get("LIVEKIT_API_SECRET", "@@")
${LIVEKIT_API_SECRET:-@@}
lk --api-key devkey --api-secret @@ --url ws://localhost
lk --api-key devkey --api-secret=@@ room list
ENV LIVEKIT_API_SECRET @@
wss://host/rtc?access_token=@@&auto_subscribe=1
wss://host/rtc%3Faccess_token%3D@@%26auto_subscribe=1
uid=sa;pwd=@@;timeout=3
a=ice-ufrag:x\r\na=ice-pwd:@@\r\na=fingerprint
a=ice-ufrag:x¶a=ice-pwd:@@¶a=fingerprint
"icePwd":"@@","iceUfrag":"x"
""".strip().splitlines()

HARMLESS = r"""
RM_YCo5mx5DiNLC PA_Z9mNnWBNvYVM AJ_dFUoH85kxoxb-1234567 AW_vY6N4qeDxjvq ND_x TR_x
LIVEKIT_API_KEY=devkey
LIVEKIT_API_KEY: APIwLeah7g4fuLY
"apiKey":"APIwLeah7g4fuLY"
apiKey: 'devkey',
webhook: {api_key: devkey}
invalid API key: devkey
- name: LIVEKIT_API_KEY¶  value: APIwLeah7g4fuLY
"room": "secret-santa", "roomName":"password-reset","name":"token", "agentName": "token-bot"
INFO token-bot: started
the token has expired
secret: see vault
tokenizer: fast, max_tokens: 4096, num_tokens=12, total_tokens: 5, "tokens": 5, "token": 5, numTokens: 5
TokenExpiresAt":1795451399, tokenExpiry: 3600, token_type=bearer, secretName: foo, tokenId=5
"nextToken": "position", eos_token: "</s>"
commit 3f786850e387550fdab836ed7e6dc881de23001b
id 123e4567-e89b-12d3-a456-426614174000 at 2026-11-23T02:55:22.886Z
data eyJoZWxsbyI6IndvcmxkIn0= and eyJoZWxsbyI6IndvcmxkIn0. Next aGVsbG8gd29ybGQgdGhpcyBpcyBmaW5l
file:///srv/app/node_modules/@livekit/agents/dist/x.js:10:5
ws://localhost:7880/rtc?x=a@b http://[::1]:7880/a@b http://localhost:7880/@x
process.env.LIVEKIT_API_SECRET
apiSecret: process.env.LIVEKIT_API_SECRET!,
password: ${PASSWORD}
password: "${PASSWORD}"
LIVEKIT_API_SECRET=${LIVEKIT_API_SECRET}
LIVEKIT_API_SECRET: ${LIVEKIT_API_SECRET:?missing}
LIVEKIT_API_SECRET=
LIVEKIT_API_SECRET=""
"apiSecret": "", "password":null,"secret":false
os.environ["LIVEKIT_API_SECRET"]
api_secret=os.environ["LIVEKIT_API_SECRET"]
required = ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_URL"]
const token = await at.toJwt();
const token = new AccessToken(apiKey, apiSecret, { identity });
const secret = randomBytes(32).toString('hex');
token = jwt.encode(claims, api_secret)
apiSecret: opts.apiSecret,
api_secret=settings.livekit_api_secret,
api_secret=api_secret, token=token
apiSecret?: string;
def f(token: str, secret: Optional[str] = None) -> None:
if not token: raise ValueError("no token")
case 'token': return x
log("token: " + token)
{"error": "invalid token: go-jose/go-jose/jwt: validation failed, token is expired (exp)"}
could not parse token: unexpected EOF
SyntaxError: Unexpected token: 'x'
LIVEKIT_API_SECRET: not set
secret is too short, should be at least 32 characters for security
password: required
"Authorization": "Bearer " + token
`Bearer ${token}`
missing bearer authentication, bearer token required, authorization header missing
Authorization: Bearer undefined
redis://:${REDIS_PASSWORD}@host redis://user:<password>@host redis://user:{password}@host
PWD=/srv/app
- ./secret:/run/secret
LIVEKIT_API_SECRET_FILE=/run/secrets/livekit
credentials: 'include'
bypass=true compass: 12 pass: 12, fail: 3
{"msg":"x","keys":["a","b"]}
primary_key=5 sort_key: abc PUBLIC_KEY=abc
task-1234567890abcdefghij disk-a1b2c3d4e5f6g7h8i9j0k Asia/Kolkata
[redacted] and [redacted jwt]
""".strip().splitlines()

# As they were recorded, shortened.
RECORDED = [
    (
        (
            '2026-11-23T02:55:22.886Z\tWARN\tlivekit\tservice/utils.go:83\terror handling request\t{"status": 401, "method": '
            f'"GET", "path": "/agent", "error": "invalid token: {JWT}, error: go-jose/go-jose: error in cryptographic '
            'primitive"}'
        ),
        [(JWT, "[redacted jwt]")],
    ),
    (
        (
            '2026-11-23T01:39:42.652Z\tINFO\tlivekit\tservice/roommanager.go:434\tstarting RTC session\t{"room": "room1", '
            r'"sdp": "v=0\r\na=ice-ufrag:+qn8\r\na=ice-pwd:4RQilCOuvz7rib5L2+swrnOH\r\na=ice-options:trickle\r\n'
            r'a=ice-pwd:/0oLwcVkaVINy7jXkCvQYHa9\r\n", "TokenExpiresAt": 1795451399}'
        ),
        [("4RQilCOuvz7rib5L2+swrnOH", MASK), ("/0oLwcVkaVINy7jXkCvQYHa9", MASK)],
    ),
    (
        (
            "2026-11-23T01:39:42.652Z\tINFO\tlivekit\tagent/client.go:148\tnot dispatching agent job since no worker is "
            'available\t{"agentName": "livekit-ganglia-agent", "jobType": "JT_PARTICIPANT", "room": "room1", "roomID": '
            '"RM_YCo5mx5DiNLC"}'
        ),
        [],
    ),
    (
        (
            '{"level":"info","ts":1795398776.919928,"logger":"livekit.agents","caller":"service/agentservice.go:302",'
            '"msg":"worker registered","namespace":"","jobType":"JT_ROOM","agentName":"ganglia","workerID":"AW_ScNntk"}'
        ),
        [],
    ),
]

TOKENS = [
    "xoxb-123456789012-abcDEF",
    "xoxp-1-2-3abc",
    "xoxe.xoxp-1-abcdefgh",
    "xapp-1-A0B-123-abcdef",
    "sk-proj-abcDEF123456789012345",
    "AIzaSyA-1234567890abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    JWT,
    JWT[:60],
    JWT[:25],
    JWT.replace(".", "%2E"),
]

PIECES = [
    *("password", "token", "API_SECRET", "apiKey", "pwd", "a=ice-pwd:", "keys:", "LIVEKIT_KEYS", "--api-secret"),
    *("name: ", "value: ", "Bearer ", "authorization", "://", "redis://u:p@h", "eyJ", "eyJhbGciOiJIUzI1NiJ9", ".eyJ2"),
    *(
        "xoxb-",
        "xoxb-12-abc",
        "sk-",
        "hooks.slack.com/services/",
        "-----BEGIN PRIVATE KEY-----",
        "-----END ",
        "MIIEabcd",
    ),
    *("=", ": ", ":", " = ", '"', "'", "`", '\\"', "\\", "\\n", "{", "}", "[", "]", "(", ",", ";", "@", "/", "|", " #"),
    *("%3D", "%26", "${", "${X}", "process.env.", MASK, "[redacted jwt]", "[redac", "ted]", " ", "  ", "\n", "\r\n"),
    *("hunter2", MADE, WORD, "12345678", "5", "null", "foo(", "config.", "İ", "é", "日本", "_", "-"),
]
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=24).map("".join), st.text())
secrets = st.text(st.characters(min_codepoint=33, codec="utf-8"), min_size=6, max_size=24)


@pytest.mark.parametrize("line", ["api_secret=@@: no such file", "--until token=@@: expected a time", "password: @@:"])
def test_a_made_value_is_masked_before_a_colon_too(line: str) -> None:
    """A sentence that repeats what was typed goes on behind it; one that only names the setting stays."""
    assert MADE not in redact(line.replace("@@", MADE))
    assert redact(line.replace("@@", "expired")) == line.replace("@@", "expired")


KNOWN = Redactor.of([MADE, "hunter2x", "x[reda", "ted]hunter2", "12345678", "password: x", "y2.eyJ2hun"])


@pytest.mark.parametrize("secret", [MADE, WORD])
@pytest.mark.parametrize("line", SETTINGS)
def test_settings_that_look_secret_lose_their_value(line: str, secret: str) -> None:
    """The value goes, whatever it looks like; what stands before and well behind it stays."""
    before, _, after = line.replace("¶", "\n").partition("@@")
    redacted = redact(before + secret + after)
    assert secret not in redacted
    assert redacted.startswith(before.replace("postgres://u:a/b#c?", "postgres://u:").replace("%40", ""))
    assert redacted.endswith(after.replace(" correct horse", "").replace("  # at home", " # at home"))


@pytest.mark.parametrize("line", HARMLESS)
def test_harmless_lines_stay(line: str) -> None:
    """A line without a secret comes out byte for byte, also with other secrets known."""
    text = line.replace("¶", "\n")
    assert redact(text) == text
    assert Redactor.of([MADE, "abc", "the", "secret", "token", "devkey"]).text(text) == text


@pytest.mark.parametrize(("line", "changes"), RECORDED)
def test_recorded_lines_change_only_where_a_secret_is(line: str, changes: list[tuple[str, str]]) -> None:
    """Of a log record only the secret parts change, and JSON stays JSON."""
    wanted = line
    for secret, mask in changes:
        wanted = wanted.replace(secret, mask)
    assert redact(line) == wanted
    assert json.loads(redact(line[line.index("{") :]))


@pytest.mark.parametrize("around", ["{}", "x {} y", "a?token={}&x=1", "a%3D{}", '"{}",', "x\\n{}\\n", "{}\n", "({})"])
@pytest.mark.parametrize("token", TOKENS)
def test_tokens_go_wherever_they_stand(token: str, around: str) -> None:
    """Tokens of a known shape go without a name before them: alone, in URLs, in JSON, cut by the end of a log."""
    redacted = redact(around.format(token))
    assert token not in redacted
    assert redacted.replace(" jwt", "") == around.format(MASK)


def test_slack_hooks_keep_the_host() -> None:
    """Of the address of a webhook only the secret path goes."""
    assert redact("to https://hooks.slack.com/services/T00/B00/XyZ123, x") == (
        f"to https://hooks.slack.com/services/{MASK}, x"
    )


def test_long_api_keys_are_no_names() -> None:
    """A LiveKit key is a name; what is as long as a provider's key is a secret."""
    key = "0123456789abcdef0123456789abcdef01234567"
    assert redact(f"apiKey: '{key}'") == f"apiKey: '{MASK}'"


def test_private_keys_go_line_by_line() -> None:
    """A private key keeps its first and last line and the count of its lines, in a file and inside of JSON."""
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
    key = f"  -----BEGIN RSA PRIVATE KEY-----\n  {body}\n  {body[:20]}\n  -----END RSA PRIVATE KEY-----\n  harmless\n"
    mask = "[redacted private key]"
    assert redact(f"key: |\n{key}") == "key: |\n" + key.replace(body, mask).replace(body[:20], mask)
    inline = json.dumps({"k": key, "room": "r"})
    assert body[20:] not in redact(inline)
    assert json.loads(redact(inline))["room"] == "r"


@given(st.text(min_size=4), st.text(min_size=4))
def test_json_stays_json(secret: str, other: str) -> None:
    """Any secret in JSON, and in JSON inside of JSON, goes, and the rest can still be read."""
    inner = json.dumps({"a": other.replace("\n", ""), "turnPassword": f"{MADE}{secret}", "pwd": 12345678, "room": "r"})
    read = json.loads(redact(inner))
    assert read["turnPassword"] == read["pwd"] == MASK
    assert read["room"] == "r"
    outer = json.loads(redact(json.dumps({"msg": inner, "level": "info"})))
    assert outer["level"] == "info"
    assert json.loads(outer["msg"])["turnPassword"] == MASK


@given(texts)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """What is redacted does not change any more, and no line is lost."""
    for redactor in (Redactor(), KNOWN):
        once = redactor.text(text)
        assert redactor.text(once) == once
        assert once.count("\n") == text.count("\n")


@given(texts, st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_a_stream_gives_what_the_whole_gives(text: str, sizes: list[int]) -> None:
    """However a text is cut into pieces, the same comes out."""
    stream = KNOWN.stream()
    out, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        out.append(stream.feed(text[at : at + size]))
        at, turn = at + size, turn + 1
    assert "".join([*out, stream.close()]) == KNOWN.text(text)


@given(
    st.integers(0, 6000),
    st.sampled_from(["password='{}'", "redis://u:{}@h", "Authorization: Bearer {}", "e API_SECRET={} ,", "{}"]),
    st.sampled_from([1, 7, 1000, 100_000]),
    st.sampled_from([" foo", "abcdefgh", '"x":1,', "token ", "[redacted] "]),
)
def test_overlong_lines_are_cut_where_no_secret_is(at: int, form: str, size: int, filler: str) -> None:
    """A line longer than what is held back loses its secrets and nothing else, whatever the pieces."""
    known = KNOWN._known
    text = (filler * 6000)[:at] + " " + form.format(MADE) + " " + (filler * 6000)[:6000]

    def stream(size: int) -> str:
        pieces = Stream(known, longest=2048)
        return "".join(pieces.feed(text[i : i + size]) for i in range(0, len(text), size)) + pieces.close()

    assert stream(size) == KNOWN.text(text) == stream(len(text))
    assert MADE not in stream(size)


def test_a_stream_holds_back_one_line_at_most() -> None:
    """Complete lines come out at once; of a line without end never more than the limit is held back."""
    stream = Redactor().stream()
    assert stream.feed("a\npassword=") == "a\n"
    assert stream.feed("dragonfly\n") == f"password={MASK}\n"
    fed = out = 0
    for _ in range(100):
        fed += 10_000
        out += len(stream.feed("harmless, " * 1000))
        assert fed - out <= LONGEST_LINE


def test_a_secret_longer_than_a_line_may_be_never_comes_out() -> None:
    """A value that is longer than what is held back goes with the rest of its line; the next line is read again."""
    text = f'a "password": "{"hunter2 " * 3 * LONGEST_LINE}", b\nnext\n'
    assert redact(text) == f'a "password": "{MASK}\nnext\n'


@given(secrets, st.text(max_size=9), st.text(max_size=9))
def test_known_secrets_never_survive(secret: str, before: str, after: str) -> None:
    """A known secret goes in whatever form and wherever it stands; what comes out does not hold it in that form."""
    assume(not secret.isdecimal() and secret not in MASK and secret.lower() not in _COMMON)
    redactor = Redactor.of([secret])
    forms = [
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[1:-1],
        secret.encode().hex(),
        secret.encode().hex().upper(),
    ]
    for form in forms:
        if not form.isdecimal():  # a number is only masked as a number
            assert form not in redactor.text(f"{before}{form}{after}")
    for padding in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            code = encode(bytes(padding) + secret.encode() + after.encode()).decode()
            first, last = (8 * padding + 5) // 6, 8 * (padding + len(secret.encode())) // 6
            assert code[first:last] not in redactor.text(f"{before} {code}")


def test_known_secrets_overlap_and_contain_each_other() -> None:
    """The longest goes first, and no half of an overlapping one stays."""
    redactor = Redactor.of(["hunter", "hunter2000", "2000.*+[a"])
    assert redactor.text("x hunter2000 y") == f"x {MASK} y"
    assert redactor.text("x hunter2000.*+[a y") == f"x {MASK} y"
    assert redactor.text("x hunters y") == f"x {MASK}s y"


def test_more_secrets_can_be_added() -> None:
    """`with_secrets` knows the old ones too; the old redactor stays as it was; none shows its secrets."""
    one = Redactor.of(["hunter2000"])
    two = one.with_secrets([WORD])
    assert two.text(f"hunter2000 {WORD}") == f"{MASK} {MASK}"
    assert one.text(WORD) == WORD
    assert "hunter2000" not in repr(two)
    assert two == Redactor.of([WORD, "hunter2000"])


def test_a_secret_of_several_lines_goes_line_by_line() -> None:
    """Each line of it that is long enough goes, and the whole where it is encoded."""
    secret = "first line\nx\nlast line\n"
    redactor = Redactor.of([secret])
    assert redactor.text(f"a\n{secret}b") == f"a\n{MASK}\nx\n{MASK}\nb"
    assert redactor.text(json.dumps(secret.strip())) == f'"{MASK}"'


def test_short_and_common_values_mask_nothing() -> None:
    """Values that stand in harmless text all the time are not used, and a number is only masked as a number."""
    redactor = Redactor.of(["", "abc", "12345", "token", "secret", "devkey", "livekit", "redacted", "123456"])
    text = "abc 12345 token secret devkey livekit redacted at 1795123456.7 [redacted]"
    assert redactor.text(text) == text
    assert redactor.text("pin 123456.") == f"pin {MASK}."


@given(st.lists(st.text(st.sampled_from("acdefgilmnoruvz0123456789"), min_size=1), max_size=30))
def test_words_without_a_trigger_stay(words: list[str]) -> None:
    """Text made of plain words stays."""
    text = " ".join(words)
    assert redact(text) == text


@given(st.binary(max_size=200))
def test_any_bytes_can_be_redacted(data: bytes) -> None:
    """Whatever a file holds, redaction answers."""
    for text in (data.decode(errors="replace"), data.decode(errors="surrogateescape"), data.decode("latin-1")):
        assert redact(redact(text)) == redact(text)


def test_the_logs_of_the_recordings_change_only_where_a_secret_is() -> None:
    """All recordings that are at hand: JWTs, ICE passwords and the keys of livekit.yaml change, and nothing else."""
    logs = sorted(Path(__file__).parent.glob("recordings/*/*.*"))
    if not logs:
        pytest.skip("no recordings in tests/recordings")
    harmless = ("eyJ", "ice-pwd", "devkey: ", "turnPassword")
    for log in logs:
        for line in log.read_text(errors="surrogateescape").split("\n"):
            if not any(secret in line for secret in harmless):
                assert redact(line) == line

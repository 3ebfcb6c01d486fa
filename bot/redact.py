r"""Keep secrets out of every text, where text enters.

Text is read line by line, since a line is what a log, a setting and a paste have in common. On a line every finder
names the parts it holds for secret; parts that overlap become one mask, and the finders look again until nothing
changes: so redacting twice is redacting once. Only private keys and what YAML spreads over lines reach further; they
are remembered as a `_Block`.

Every pattern is linear by construction: a finder starts only at a literal found with `str.find`, what it tries there
is bounded or possessive (`*+`, `++`), and what it has masked it does not look at again.

A name decides whether a value is secret, so `"token": 5` and `tokenExpiry=1` stay. API *keys* of LiveKit stay too:
its logs name them (`invalid API key: K`) and they are needed to see who asked; the secret behind them is masked.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, Self
from urllib.parse import quote

MASK = "[redacted]"
LONGEST_LINE = 1 << 16  # characters; what a stream holds back at most

# What may stand in a text as a mask already: never opened, never cut, never masked again.
_M = r"\[redacted(?:[ ](?:jwt|private[ ]key))?\]"
_MASKS = re.compile(_M)
_ROUNDS = 8  # two are enough for all that was ever seen


def masked(text: str) -> bool:
    """Whether a mask stands in a text."""
    return _MASKS.search(text) is not None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class _Span(NamedTuple):
    """A part of a line that is secret: `text[start:end]`; the mask is set between `quotes` where JSON would break."""

    start: int
    end: int
    kind: str = ""
    quotes: str = ""


class _Late:
    """A regular expression that is compiled when it is first looked for: most texts have a place for few of them."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self.text, self._flags = text, flags

    @cached_property
    def made(self) -> re.Pattern[str]:
        """The pattern to look for."""
        return re.compile(self.text, self._flags)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text, the same in small letters (every character in its place), and the `_STARTS` it contains."""

    text: str
    low: str
    starts: frozenset[str]

    def places(self, *starts: str) -> Iterator[int]:
        """Where one of the literals stands."""
        for start in starts:
            at = self.low.find(start)
            while at >= 0:
                yield at
                at = self.low.find(start, at + 1)

    def matches(self, pattern: _Late, *starts: str) -> Iterator[re.Match[str]]:
        """Match a pattern at every such place, but not again inside of a match."""
        for start in starts:
            end = 0
            for at in self.places(start):
                if at >= end and (match := pattern.made.match(self.text, at)):
                    end = match.end()
                    yield match


_Finder = Callable[[_Line], Iterator[_Span]]


# --- what has a shape of its own -------------------------------------------------------------------------------------

# No letter or digit before it, unless that is the end of `%3D` or of a `\n` inside JSON.
_FREE = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
_DOT = r"(?:\.|%(?:25)?2[Ee])"
_JWT_HEADS = "|".join(
    base64.b64encode(f'{{"{name}"'.encode()).decode()[:8] for name in ("alg", "typ", "kid", "cty", "jku", "jwk", "x5t")
)
# A head no other base64 begins with, however little follows (a log's end cuts anywhere); else two parts of a token.
_JWT = _Late(
    rf"(?:(?:{_JWT_HEADS})|{_FREE}(?<![_-])eyJ[A-Za-z0-9_-]{{5,}}+{_DOT}(?:eyJ|[A-Za-z0-9_-]{{40}}))"
    rf"[A-Za-z0-9_-]*+(?:{_DOT}[A-Za-z0-9_-]++){{0,4}}+=*+"
)
_SHAPES = _Late(
    rf"""{_FREE}(?:(?P<secret>
        xox[abeoprs](?:-|\.xox[a-z]-)[A-Za-z0-9-]{{4,}}+ | xapp-[A-Za-z0-9-]{{4,}}+      # Slack
      | g?sk[-_](?=[A-Za-z_-]{{0,64}}[0-9])[A-Za-z0-9_-]{{16,}}+                # OpenAI, Groq, Stripe
      | AIza[A-Za-z0-9_-]{{30,}}+ | AKIA[A-Z0-9]{{16}}(?![A-Za-z0-9])                 # Google, Amazon
      | ghp_[A-Za-z0-9]{{20,}}+ | github_pat_[A-Za-z0-9_]{{20,}}+ | hf_[A-Za-z0-9]{{30,}}+
      ) | hooks\.slack\.com(?P<s>\\?/|%2F)[a-z]{{1,20}}(?P=s)(?P<hook>(?:[A-Za-z0-9_-]|\\?/|%2F)++))""",
    re.VERBOSE,
)
_SHAPE_STARTS = ("xox", "xapp-", "hooks.slack.com", "sk-", "sk_", "aiza", "akia", "ghp_", "github_pat_", "hf_")
_ICE = _Late(r"ice-pwd(?::|%3A)(?P<secret>(?:[A-Za-z0-9+/=]|\\/|%2[BbFf])++)", re.IGNORECASE)
_PRIVATE_KEY = _Late(
    rf"""-----BEGIN[ ][A-Z0-9 ]{{0,32}}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
         (?P<secret>(?:\s|\\+[nrt])*+(?:{_M}|[A-Za-z0-9+/=]{{16}})(?:(?!-----END)[^"'`])*+)""",
    re.VERBOSE,
)


def _jwts(line: _Line) -> Iterator[_Span]:
    for match in line.matches(_JWT, "eyj"):
        yield _Span(*match.span(), "jwt")


def _shapes(line: _Line) -> Iterator[_Span]:
    for match in line.matches(_SHAPES, *line.starts.intersection(_SHAPE_STARTS)):
        yield _Span(*match.span("secret" if match["secret"] else "hook"))
    for match in line.matches(_SHAPES, "gsk_"):  # `sk_` alone is not free there
        yield _Span(*match.span("secret"))


def _ice_passwords(line: _Line) -> Iterator[_Span]:
    for match in line.matches(_ICE, "ice-pwd"):
        yield _Span(*match.span("secret"))


def _private_keys(line: _Line) -> Iterator[_Span]:
    for match in line.matches(_PRIVATE_KEY, "-----begin "):
        yield _Span(*match.span("secret"), "private key")


# --- values that say nothing secret ----------------------------------------------------------------------------------

# Whole values that only point to a secret: `${PASSWORD}`, `$PASSWORD`, `{{ x }}`, `<your secret>`, `{password}`, `%s`.
_POINTERS = _Late(
    rf"""(?: {_M} | \$\{{[^{{}}]{{0,200}}\}} | \{{\{{[^{{}}]{{0,200}}\}}\}} | \{{[A-Za-z_][A-Za-z_.]{{0,60}}\}}
         | \$[A-Z_][A-Z0-9_]{{0,60}}(?![A-Za-z0-9_]) | <[A-Za-z][A-Za-z _-]{{0,60}}> | %(?:\(\w{{0,60}}\))?[sdv](?!\w)
         | [^A-Za-z0-9] )++""",
    re.VERBOSE,
)
_ENVIRONMENT = re.compile(r"process\.env\b|os\.(?:environ|getenv)\b|getenv\(|import\.meta\.env\b|Deno\.env\b|\$\(")
_NAME_OF_SECRET = re.compile(r"[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){0,8}_(?:SECRET|TOKEN|PASSWORD|KEY|PASS)")
_LIVEKIT_ID = re.compile(r"(?:RM|PA|AJ|AW|AD|ND|TR|PR|SI|ST|EG|IN)_[A-Za-z0-9]{6,24}")
_NOTHING = _words("null none nil undefined true false nan")


def _points(value: str) -> bool:
    """Whether a value holds no secret: empty, a mask, nothing but signs, or where to find the secret."""
    return (
        not value
        or value.lower() in _NOTHING
        or _MASKS.fullmatch(value) is not None
        or (len(value) <= 400 and _POINTERS.made.fullmatch(value) is not None)
        or (len(value) <= 400 and _NAME_OF_SECRET.fullmatch(value) is not None)
    )


def _made(value: str, least: int) -> bool:
    """Whether a value looks made by a machine: `least` characters or more, letters and digits, no id of LiveKit."""
    return (
        len(value) >= least
        and re.search(r"[0-9]", value) is not None
        and re.search(r"[A-Za-z]", value) is not None
        and _LIVEKIT_ID.fullmatch(value) is None
    )


# --- Authorization, URLs ---------------------------------------------------------------------------------------------

_BEARER = _Late(rf"{_FREE}bearer(?:[ \t]{{1,8}}|%20|\+)(?P<secret>(?:{_M}|[A-Za-z0-9._~+/=-])++)", re.IGNORECASE)
_AUTHORIZATION = _Late(
    rf"""authorization(?:\\{{0,7}}["'`],|\\{{0,7}}["'`]?\]?[ \t]{{0,8}}(?:[:=]|=>|%3A))[ \t]{{0,8}}\\{{0,7}}["'`\[]?\\{{0,7}}["'`]?
         (?:(?P<scheme>[A-Za-z][A-Za-z0-9-]{{1,24}})(?:[ \t]{{1,8}}|%20))?
         (?P<secret>(?:{_M}|[^\s"'`,;\\<>{{}}\[\]])++)""",
    re.IGNORECASE | re.VERBOSE,
)
_URL = _Late(rf"""://(?P<user>(?:{_M}|[^\s/?\#@:"'`<>\\\[\]])*+):(?P<secret>(?:{_M}|[^\s/?\#"'`<>\\])*)@""")
# A password with `/`, `?` or `#` in it; what looks like a port is one.
_ODD_URL = _Late(
    r"""://[^\s/?#@:"'`<>\\\[\]]{0,128}+:(?!\d{1,5}[/?#])(?P<secret>[^\s"'`<>\\]{1,256}?)@(?=[A-Za-z0-9_-])"""
)
_TOKEN_URL = _Late(rf"""://(?P<secret>(?:{_M}|[^\s/?\#@:"'`<>\\\[\]])++)@""")
_ENCODED_URL = _Late(
    rf"""%3A%2F%2F(?:[A-Za-z0-9._~-]|%(?!3A|40)[0-9A-F]{{2}}){{0,128}}+%3A
         (?P<secret>(?:{_M}|[A-Za-z0-9._~!*'()-]|%(?!40)[0-9A-F]{{2}}){{1,512}}+)%40""",
    re.IGNORECASE | re.VERBOSE,
)


def _authorizations(line: _Line) -> Iterator[_Span]:
    for match in line.matches(_BEARER, "bearer"):
        value = match["secret"]
        if not _points(value) and (_made(value, 6) or len(value) >= 16):
            yield _Span(*match.span("secret"))
    for match in line.matches(_AUTHORIZATION, "authorization"):
        value, scheme = match["secret"], (match["scheme"] or "").lower()
        if _points(value):
            continue
        known_scheme = scheme in {"bearer", "basic"} and value.lower() not in _PLAIN
        if known_scheme or ((_made(value, 6) or len(value) >= 16) and not _EXPRESSION.made.match(value)):
            yield _Span(*match.span("secret"))


def _urls(line: _Line) -> Iterator[_Span]:
    if "@" in line.text:
        for pattern in (_URL, _ODD_URL):
            for match in line.matches(pattern, "://"):
                if not _points(match["secret"]):
                    yield _Span(*match.span("secret"))
        for match in line.matches(_TOKEN_URL, "://"):
            if _made(match["secret"], 16):
                yield _Span(*match.span("secret"))
    for match in line.matches(_ENCODED_URL, "%3a%2f%2f"):
        if not _points(match["secret"]):
            yield _Span(*match.span("secret"))


# --- settings: a name that looks secret, and its value ---------------------------------------------------------------

_WORDS = ("secret", "token", "pass", "pwd", "credential", "key")
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$"
_NAME_END = _Late(
    r"""(?P<word>secret|token|pass(?:word|wd|phrase|code)?|pwd|credential|key)
        (?P<suffix>[_-]?(?:base64|b64|base|value|raw|old|new|prod|production|dev|test|staging|hash|[0-9]{1,2}))?
        (?P<close>\\{0,7}["'`])?\]?[?!]?
        (?: (?P<left>[ \t]{0,8})
            (?: :[ \t]{0,4}(?:str(?:ing)?|bytes|any)(?:[ \t]{0,4}\|[ \t]{0,4}(?:None|null|undefined))?[ \t]{0,4}=(?!=)
              | (?P<sign>=>|:=|:-|={1,3}|:(?![:?]|//)|%3D|\?\?=?|\|\|=?|,) )
            (?P<right>[ \t]{0,64})
          | (?P<blank>[ \t]{1,8}) )""",
    re.IGNORECASE | re.VERBOSE,
)
_LINE_START = re.compile(r"""(?:[^|]{0,60}\|)?[\s+>*#-]*+(?:(?:export|set|ENV|ARG)[ \t]+)?(?:\\{0,7}["'`])?""")
_WITH_BLANK = re.compile(r"(?:^|\s)(?:--[\w.-]*|(?:ENV|ARG)\s+\w*)$")
_GETTER = re.compile(r"(?:get|getenv|env|ENV|setdefault|pop)\($")
_OPENING = re.compile(r"""(?:(?:SecretStr|Buffer\.from|atob)\()?[bBrRuUfF]{0,2}(?P<quote>\\{0,7}["'`])""")
_QUOTED = {
    '"': re.compile(r'(?:[^"\\]|\\.)*+'),
    "'": re.compile(r"(?:[^'\\]|\\.|'')*+"),
    "`": re.compile(r"(?:[^`\\]|\\.)*+"),
}
_TO_BLANK = re.compile(rf"""(?:{_M}|[^\s"'`\\]|\\(?![nrt"'`\\]))*+""")
_TO_SIGN = re.compile(rf"""(?:{_M}|(?!%26)[^\s"'`\\,;&<>(){{}}\[\]|]|\\(?![nrt"'`\\]))*+""")
_TO_COMMENT = re.compile(rf"(?:{_M}|(?![ \t]\#|[,;][ \t]).)*+")
_CODE = _Late(
    r"""(?:[A-Za-z_$]{1,60}|[A-Za-z_$][\w$]{0,60}(?:\??\.[\w$]{1,60}){1,8})(?:\?\.)?[(\[]   # a call, an index
      | [A-Z][A-Za-z]{0,60}<                                                              # a type
      | (?:self|this|process|os|env|config|cfg|conf|settings|options|opts|args|argv|params|props|ctx|context|req|request
          |res|response|body|data|secrets|vault|input|state|store|claims)\??\.[A-Za-z_$]
      | [A-Za-z_$][A-Za-z_$.]{0,60}\.[A-Za-z_$]{0,40}(?:[Tt]oken|[Ss]ecret|[Pp]assword|[Kk]ey|[Jj]wt)\b
      | [a-z]{1,24}(?:[A-Z][a-z]{1,24}){0,4}(?:Token|Secret|Password|Key|Jwt|Pwd|Credential)\b
      | (?:new|await|async|typeof|function|lambda|return|raise|throw)[ \t(]""",
    re.VERBOSE,
)
_EXPRESSION = _Late(rf"!|{_CODE.text}", re.VERBOSE)
_CODE_TO_END = re.compile(r"(?:[A-Za-z_$.?!]++|.*[()\[\]{},;>])[ \t\r]*$")
_NO_SCALAR = re.compile(r"[{(<&|>*!]|-(?:[\s-]|$)")  # no bare value of YAML begins so
_WORD = re.compile(
    r"(?P<word>[A-Za-z]{1,32}(?:['’_-][A-Za-z]{1,32}){0,4})(?P<after>[.,;:!?)]?)(?P<more>[ \t]{1,8}[\w(])?"
)
# Words that stand where a value could stand, in code, in manuals and in messages.
_PLAIN = _words(
    "string str bytes any number int bool boolean object unknown never void optional secretstr null none nil undefined "
    "true false yes no on off self this required missing unset empty invalid expired hidden masked redacted wrong "
    "value name pass return raise continue break throw is are was must should has have see not the a an from for in to "
    "with please your expected cannot could set too option flag argument or and header"
)
_VARIABLES = _words("token secret password passwd jwt key apikey apisecret api_secret api_key credential pwd")
# `eos_token`, `nextToken`: pieces of text and places in a list.
_TOKENS_OF_TEXT = re.compile(r"(?:^|[_-])(?:input|output|next|last|first|prev|page|eos|bos|pad|stop|unk|num|max|new)$")
_KINDS_OF_KEY = re.compile(
    r"(?:secret|private|access|signing|encryption|master|account|auth|session|shared|service)[_-]?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Setting:
    """A name that looks secret and what stands between it and its value, which begins at `at`.

    `least` is 0 where the name alone tells; else the value must look made and be that long. A `weak` name is one that
    sentences use too ("invalid token: expired"): bare words after it must look made.
    """

    name: str
    at: int
    sign: str
    opened: str  # the quote before the name, "" for none
    closed: bool  # a quote after the name
    tight: bool  # `NAME=value`
    starts_line: bool
    least: int
    weak: bool

    @property
    def environment(self) -> bool:
        """`NAME=value` as shells, Compose and Docker write it."""
        return self.tight and self.name == self.name.upper()


def _settings(line: _Line) -> Iterator[_Span]:
    done = 0
    for at in sorted(line.places(*line.starts.intersection(_WORDS))):
        if at < done or line.low.startswith("ice-pwd:", at - 4):
            continue
        setting = _setting(line.text, at)
        span = _value(line.text, setting) if setting else None
        if span:
            done = span.end
            yield span


def _setting(text: str, at: int) -> _Setting | None:
    """Read the name that ends with the secret word at `at`, and the sign after it; None if it is no setting."""
    end = _NAME_END.made.match(text, at)
    if not end:
        return None
    before = text[max(0, at - 96) : at]
    path = before[len(before.rstrip(_NAME_CHARACTERS)) :]
    before = before[: len(before) - len(path)]
    owner, _, prefix = path.rpartition(".")
    opened = re.search(r"""\\{0,7}["'`]?$""", before[-8:])
    opened_by = opened[0] if opened and opened[0][-1:] in {'"', "'", "`"} else ""
    sign = end["sign"] or (":" if not end["blank"] else "")
    if end["blank"] and not _WITH_BLANK.search(before[-24:] + path):
        return None
    if sign == "," and not (opened_by and end["close"] and _GETTER.search(before.removesuffix(opened_by)[-16:])):
        return None  # `getenv("API_SECRET", "value")`, but not a list of names
    if not end["close"] and _closes(text, end.end(), opened_by):
        return None  # `log("token: " + token)`
    plain = end["word"].lower() in {"token", "secret", "credential"} and sign == ":" and not path
    if sign == ":" and (before.endswith(("/", ":") if plain else "/") or path.startswith("$")):
        return None  # paths and a name of Amazon: `./secret:/run/secret`, `$PWD:/srv`, `arn:…:secret:x`
    least = _least(end["word"], prefix, owner)
    if least is None or before.endswith(("Unexpected ", "unexpected ")):
        return None
    start = at - len(path)
    starts_line = start <= 96 and _LINE_START.fullmatch(text[:start]) is not None
    name = prefix + end["word"] + (end["suffix"] or "")
    tight = sign[:1] == "=" and sign != "=>" and not end["left"] and not end["right"]
    compared = sign in {"==", "==="} and not (tight and name == name.upper())
    return _Setting(
        name=name,
        at=end.end(),
        sign=sign,
        opened=opened_by,
        closed=end["close"] is not None,
        tight=tight,
        starts_line=starts_line,
        least=max(least, 6) if compared else least,
        weak=(plain and not end["close"] and not starts_line) or (end["word"].lower() == "pass" and not prefix),
    )


def _closes(text: str, at: int, opened: str) -> bool:
    """Whether the quote at `at` ends the text in which the name stands, so that no value follows."""
    quote_ = text[at : at + 1]
    if not quote_ or quote_ not in "\"'`":
        return False
    odd = text.count(quote_, 0, at) % 2 == 1
    return opened == quote_ or (odd and (text[at + 1 : at + 2].isspace() or text[at + 1 : at + 2] in ",;)+"))


def _least(word: str, prefix: str, owner: str) -> int | None:
    """How long a value must at least be, and look made, to be secret; None if the name is not that of a secret."""
    kind = prefix.lower().strip("_-")
    if word.lower() == "pass":
        return 0 if not prefix or prefix[-1] in "_-" or (word[0] == "P" and prefix[-1].islower()) else None
    if word.lower() != "key":
        return None if word.lower() == "token" and _TOKENS_OF_TEXT.search(kind) else 0
    if kind.endswith("api"):  # a key of LiveKit is a name, unless it is as long as a provider's key
        if "livekit" in f"{owner}.{kind}".lower() or kind == "lk_api":
            return None
        return 32 if kind in {"api", "webhook_api"} else 0
    if _KINDS_OF_KEY.search(prefix):
        return 0
    named = re.fullmatch(r"[A-Z0-9_]+_", prefix) and not re.search(r"LIVEKIT|PUBLIC|CACHE|PRIMARY|FOREIGN|SORT", prefix)
    return 20 if named and word == "KEY" else None


def _value(text: str, setting: _Setting) -> _Span | None:
    opening = _OPENING.match(text, setting.at)
    if opening:
        quote_, start = opening["quote"], opening.end()
    elif setting.opened and not setting.closed and setting.environment:
        quote_, start = setting.opened, setting.at  # "NAME=value", the whole between quotes
    elif setting.sign in {"??", "||", "??=", "||=", ",", "=>"}:
        return None
    else:
        return _bare(text, setting)
    end = _quoted_end(text, start, quote_)
    return None if _keeps(text[start:end], setting) else _Span(start, end)


def _quoted_end(text: str, start: int, quote_: str) -> int:
    """Where a quoted value ends: at its closing quote, or with the line if there is none."""
    if len(quote_) == 1:
        match = _QUOTED[quote_].match(text, start)
        return match.end() if match else start
    # JSON inside of JSON: each level doubles the backslashes, so `\"` closes what `\"` opened, and `\\\"` does not.
    escapes, end = len(quote_) - 1, text.find(quote_[-1], start)
    while end >= 0:
        run = end
        while run > start and text[run - 1] == "\\":
            run -= 1
        if (end - run) % (2 * escapes + 2) == escapes:
            return end - escapes
        end = text.find(quote_[-1], end + 1)
    return len(text)


def _keeps(value: str, setting: _Setting) -> bool:
    """Whether a value stays although its name looks secret."""
    if _points(value) or (setting.least and not _made(value, setting.least)):
        return True
    directory = setting.name.lower() in {"pwd", "oldpwd"} and re.match(r"[/~.]|[A-Za-z]:\\", value)
    few = 9 if setting.name.lower().endswith("token") else 3
    return bool(directory) or (value.isdigit() and len(value) <= few)


def _bare(text: str, setting: _Setting) -> _Span | None:
    """The secret among bare words after a name, or None."""
    start = setting.at
    head = text[start : start + 256]
    if _ENVIRONMENT.match(head):
        return None
    fills_line = setting.starts_line and setting.sign == ":"
    if setting.environment:
        pattern = _TO_COMMENT if setting.starts_line else _TO_BLANK
    elif _NO_SCALAR.match(head) or _is_code(text, setting, fills_line=fills_line) or _is_prose(head, setting):
        return None
    else:
        pattern = _TO_COMMENT if fills_line and text.find(": ", start) < 0 else _TO_SIGN
    least = max(setting.least, 6 if setting.weak else 0)
    if least and not _made(_trimmed(_run(pattern, text, start, start + 256)), least):
        return None  # before the whole value is looked at, so that many such names cost no more than one
    whole = _run(pattern, text, start, len(text)).rstrip()
    value = _trimmed(whole)
    sentence = value.endswith(":") and len(value) <= 64 and not setting.environment and not _made(value, 16)
    if sentence or _points(whole) or _keeps(value, setting):
        return None
    number = setting.closed and setting.sign == ":" and re.fullmatch(r"-?[0-9.]+", value)
    return _Span(start, start + len(value), quotes=setting.opened if number else "")


def _run(pattern: re.Pattern[str], text: str, start: int, end: int) -> str:
    match = pattern.match(text, start, end)
    return match[0] if match else ""


def _is_code(text: str, setting: _Setting, *, fills_line: bool) -> bool:
    """Whether the value is an expression; what fills a line must end like one."""
    if not _CODE.made.match(text, setting.at, setting.at + 256):
        return False
    return not fills_line or _CODE_TO_END.match(text, setting.at) is not None


def _trimmed(value: str) -> str:
    """Leave out blanks and signs behind a bare value, but not the end of a mask."""
    kept = value.rstrip(" \t\r,;)}]")
    return kept + "]" if value[len(kept) :].startswith("]") and _MASK_AT_END.search(kept[-24:] + "]") else kept


_MASK_AT_END = re.compile(_M + "$")


def _is_prose(head: str, setting: _Setting) -> bool:
    """Whether the words after a name talk about the secret instead of giving it."""
    match = _WORD.match(head)
    if not match:
        return False
    word, after, more = match["word"], match["after"], match["more"]
    rest = head[match.end("word") :]
    if rest and not after and not rest[0].isspace() and rest[0] not in "\"'`}]":
        return False  # the word is only the beginning of a value
    if word.lower() in _PLAIN or word == setting.name.strip("_") or after == ":":
        return True
    if setting.closed and setting.sign == ":" and not setting.starts_line:
        return True  # JSON has no bare words: this is code
    if word.lower() in _VARIABLES:
        return bool(setting.sign) and setting.name != setting.name.upper()
    named = setting.name.lower() in {"token", "secret", "credential"}
    return more is not None and not setting.tight and setting.sign != "" and (named or not setting.starts_line)


# --- lists of keys and secrets: `keys:` of livekit.yaml, LIVEKIT_KEYS ------------------------------------------------

_FLOW = _Late(
    r"""(?P<name>livekit_keys|--keys|(?<![A-Za-z0-9_-])keys)\\{0,7}["']?[ \t]{0,8}[:= ][ \t]{0,8}
        (?P<open>\{|\\{0,7}["'])?""",
    re.IGNORECASE | re.VERBOSE,
)
_VALUE_IN_PAIR = rf"""(?P<secret>(?:{_M}|[^\s,;"'`{{}}\[\]\\]|\\(?![nrt"'`\\]))++)"""
_PAIR = _Late(rf"(?:[\s,;]|\\n)*+[A-Za-z0-9_.-]{{1,128}}+:[ \t]{{0,8}}{_VALUE_IN_PAIR}")
_FLOW_PAIR = _Late(
    rf"""[\s,]*+\\{{0,7}}["']?[A-Za-z0-9_.-]{{1,128}}+\\{{0,7}}["']?[ \t]{{0,8}}:[ \t]{{0,8}}
         (?:\\{{0,7}}["'])?{_VALUE_IN_PAIR}\\{{0,7}}["']?""",
    re.VERBOSE,
)
_MARGIN = r"(?P<margin>[^|]{0,60}\|)?"  # `livekit-1  | ` before every line
_LIST_OPENS = re.compile(
    _MARGIN + r"""[ \t+-]*+["']?(?P<name>keys|livekit_keys)["']?[ \t]*+:[ \t]*+(?:\{|[|>][+-]?)?[ \t]*+(?:\#.*)?\r?$""",
    re.IGNORECASE,
)
_ENTRY_OPENS = re.compile(
    _MARGIN + r"""[ \t+-]*+["']?name["']?[ \t]*+:[ \t]*+["']?(?P<name>[A-Za-z0-9_.-]{1,128})["']?[ \t]*+,?[ \t\r]*+$"""
)
_SCALAR_OPENS = re.compile(
    _MARGIN + r"""[ \t+-]*+["']?(?P<name>[A-Za-z0-9_.-]{1,128})["']?[ \t]*+:[ \t]*+[|>][0-9+-]{0,2}[ \t\r]*+$"""
)
_KEY_OPENS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----(?:\\n)?[\s\"'`+]*+$")
_BLOCK_PAIR = _Late(
    rf"""[ \t+-]*+["']?(?P<key>[A-Za-z0-9_.-]{{1,128}}+)["']?[ \t]*+:[ \t]++
         (?:"(?P<double>(?:[^"\\]|\\.)*+)"|'(?P<single>[^']*+)'
           |(?P<bare>(?:{_M}|[^\s"'\#,{{}}\[\]&*!|>])(?:{_M}|[^\s,])*+))
         [ \t]*+,?[ \t]*+(?:\#.*)?\r?$""",
    re.VERBOSE,
)
_KEY_LINE = _Late(
    _MARGIN
    + rf"""[\s>"'`-]*+(?P<secret>{_M}|(?:[A-Za-z0-9+/=]{{4}})++|(?:Proc-Type|DEK-Info|Version|Comment):[ ].*+)
         (?:\\n)?["'`,;+\s]*+$""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Block:
    """What the lines before make of a line.

    A list of keys, the value of a named entry (`name: X`, `value: …`), a text of several lines, or the inside of a
    private key. The lines of a list or a text are blank from `margin` to `column`.
    """

    kind: Literal["keys", "value", "text", "private key"]
    margin: int = 0
    column: int = 0


def _key_lists(line: _Line) -> Iterator[_Span]:
    done = 0
    for match in line.matches(_FLOW, "keys", "--keys", "livekit_keys"):
        if match.start() < done or (match["open"] != "{" and match["name"].lower() == "keys"):
            continue  # `keys: a` is no list of secrets
        form = _FLOW_PAIR if match["open"] == "{" else _PAIR
        pair = form.made.match(line.text, match.end())
        while pair:
            if not _points(pair["secret"]) and not re.fullmatch(r"-?[0-9.]{1,9}", pair["secret"]):
                yield _Span(*pair.span("secret"))
            done = pair.end()
            pair = form.made.match(line.text, done)


def _in_block(line: str, block: _Block) -> Iterator[_Span]:
    """What is secret on a line because of the lines before."""
    if block.kind == "private key":
        if inner := _KEY_LINE.made.match(line):
            yield _Span(*inner.span("secret"), "private key")
        return
    if block.kind == "text":
        start = len(line) - len(line[block.margin :].lstrip())
        if block.column < start < len(line):
            yield _Span(start, len(line.rstrip()))
        return
    pair = _BLOCK_PAIR.made.match(line, min(block.margin, len(line)))
    if not pair or not (pair["key"] == "value" if block.kind == "value" else _deeper(line, block)):
        return
    for group in ("double", "single", "bare"):
        if pair[group] and pair[group] != pair["key"] and not _points(pair[group]):
            yield _Span(*pair.span(group))


def _next_block(line: str, block: _Block | None) -> _Block | None:
    """What a line, already redacted, leaves behind for the next one."""
    if "-----BEGIN " in line and _KEY_OPENS.search(line):
        return _Block("private key")
    if opening := _LIST_OPENS.match(line):
        return _Block("keys", max(0, opening.end("margin")), opening.start("name"))
    if opening := _ENTRY_OPENS.match(line):
        return _Block("value", max(0, opening.end("margin"))) if _names_secret(opening["name"]) else None
    if (opening := _SCALAR_OPENS.match(line)) and _names_secret(opening["name"]):
        return _Block("text", max(0, opening.end("margin")), opening.start("name"))
    if block is None or block.kind == "value":
        return None
    lasts = _KEY_LINE.made.match(line) is not None if block.kind == "private key" else _deeper(line, block)
    return block if lasts or not line.strip() else None


def _deeper(line: str, block: _Block) -> bool:
    """Whether a line belongs to a list by its indentation; comments do anywhere."""
    inner = line[block.margin :]
    return inner.lstrip().startswith("#") or not line[block.margin : block.column + 1].strip(" \t+-")


def _names_secret(name: str) -> bool:
    """Whether a setting of that name is secret, whatever its value."""
    last = max(name.lower().rfind(word) for word in _WORDS)
    found = _setting(f"{name}=", last) if last >= 0 else None
    return found is not None and found.least == 0


# --- secrets that are known ------------------------------------------------------------------------------------------

_SHORTEST = 6  # a shorter value stands in harmless text all the time
_COMMON = _words(
    "secret secrets password passwd passphrase token tokens devkey livekit agents worker workers server default "
    "localhost redacted public private master example sample testing staging development production undefined boolean "
    "string number object username account client participant published"
)


def _forms(secret: str) -> Iterator[str]:
    """The ways a secret is written: as it is, escaped, percent-encoded, as base64 inside of a longer text, as hex."""
    raw = secret.encode("utf-8", "surrogatepass")
    plain = {secret, raw.hex(), raw.hex().upper()}
    for skipped in range(3):  # where the secret begins among the three bytes of a group
        code = base64.b64encode(bytes(skipped) + raw).decode()
        core = code[(8 * skipped + 5) // 6 : 8 * (skipped + len(raw)) // 6]
        plain |= {core, core.replace("+", "-").replace("/", "_")}
    for form in plain:
        yield form
        yield from _percent_encoded(form)
        yield from _escaped(form)


def _percent_encoded(text: str) -> Iterator[str]:
    # Form fields, paths, and what encodeURIComponent, encodeURI and url.UserPassword leave as it is.
    for safe in ("", "/", "!~*'()", ";,/?:@&=+$-_.!~*'()#", "$&+,;="):
        encoded = quote(text, safe=safe, errors="surrogatepass")
        yield from (encoded, encoded.replace("%20", "+"), quote(encoded, safe=""))
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)


def _escaped(text: str) -> Iterator[str]:
    for inside in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]):
        yield from (inside, inside.replace("/", "\\/"), json.dumps(inside)[1:-1])
        yield re.sub(r"[<>&]", lambda match: f"\\u{ord(match[0]):04x}", inside)  # Go escapes for HTML
    yield text.replace("'", "''")


@dataclass(frozen=True, slots=True)
class _Known:
    """All forms of the secrets that are known, and one pattern for them, the longest first."""

    forms: tuple[str, ...]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Self | None:
        """Make the pattern; None if there is nothing to look for.

        A secret of several lines is looked for line by line, and as a whole where it is encoded. A secret of digits
        alone is looked for as a number: not inside of a longer one.
        """
        wanted = {part.strip(" \t\r\n") for secret in secrets for part in (secret, *secret.split("\n"))}
        forms: dict[str, str] = {}
        for secret in wanted:
            if len(secret) < _SHORTEST or secret.lower() in _COMMON:
                continue
            for form in _forms(secret):
                if len(form) >= _SHORTEST and "\n" not in form:
                    escaped = re.escape(form)
                    is_number = form.isdecimal() and form.isascii()
                    forms[form] = rf"(?<![0-9]){escaped}(?![0-9])" if is_number else escaped
        longest_first = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        return cls(longest_first, re.compile("|".join(forms[form] for form in longest_first))) if forms else None

    def anywhere(self, text: str) -> bool:
        """Whether a form stands in the text; a plain search is several times faster than the pattern."""
        return any(form in text for form in self.forms)

    def spans(self, text: str) -> Iterator[_Span]:
        """Where they stand; secrets may overlap."""
        match = self.pattern.search(text) if self.anywhere(text) else None
        while match:
            yield _Span(*match.span())
            match = self.pattern.search(text, match.start() + 1)


# --- a line ----------------------------------------------------------------------------------------------------------

# What must stand in a line (in small letters) before a finder is asked.
_FINDERS: tuple[tuple[frozenset[str], _Finder], ...] = (
    (frozenset({"eyj"}), _jwts),
    (frozenset(_SHAPE_STARTS), _shapes),
    (frozenset({"pwd"}), _ice_passwords),
    (frozenset({"key"}), _private_keys),
    (frozenset({"bearer", "authorization"}), _authorizations),
    (frozenset({"://", "%3a%2f%2f"}), _urls),
    (frozenset({"key"}), _key_lists),
    (frozenset(_WORDS), _settings),
)
_STARTS = (*_WORDS, "eyj", "bearer", "authorization", "://", "%3a%2f%2f", *_SHAPE_STARTS)


def _starts(low: str) -> frozenset[str]:
    """Which starts a text contains; for most lines of a log none, and this look is all they cost."""
    return frozenset([start for start in _STARTS if start in low])


def _lower(text: str) -> str:
    """Small letters, with every character in its place ("İ" would become two)."""
    return text.lower() if text.isascii() else text.replace("İ", "I").lower()


def _redact_line(text: str, block: _Block | None, known: _Known | None) -> tuple[str, _Block | None]:
    """Mask what is secret on one line; also what the line means for the next one."""
    starts = _starts(_lower(text))  # a mask adds none that matters
    if not starts and not block and not (known and known.anywhere(text)):
        return text, None  # what opens a block has a start too
    finders = [finder for some, finder in _FINDERS if not some.isdisjoint(starts)]
    for _ in range(_ROUNDS):
        line = _Line(text, _lower(text), starts)
        spans = [span for finder in finders for span in finder(line)]
        if known:
            spans += known.spans(text)
        if block:
            spans += _in_block(text, block)
        masked = _masked(text, spans) if spans else text
        if masked == text:
            return text, _next_block(text, block)
        text = masked
    return MASK, None  # what does not come to rest is not let out


def _masked(line: str, spans: list[_Span]) -> str:
    """Put one mask in place of spans that touch each other; a mask that is there already is never cut."""
    there = {match.span() for match in _MASKS.finditer(line)} if "[redacted" in line else set()
    parts: list[str] = []
    written = 0
    ordered = sorted({*spans, *(_Span(*span) for span in there)})
    for start, end, first in _joined(ordered):
        if (start, end) in there:
            continue
        whole = (first.start, first.end) == (start, end)
        mask = f"[redacted {first.kind}]" if whole and first.kind else MASK
        parts += [line[written:start], first.quotes + mask + first.quotes if whole else mask]
        written = end
    return "".join([*parts, line[written:]])


def _joined(ordered: list[_Span]) -> Iterator[tuple[int, int, _Span]]:
    """Join spans that touch: start, end and the span of the group that says most."""
    at = 0
    while at < len(ordered):
        first = ordered[at]
        start, end = first.start, first.end
        while at < len(ordered) and ordered[at].start <= end:
            end = max(end, ordered[at].end)
            first = max(first, ordered[at], key=lambda span: (span.end - span.start, span.kind, span.quotes))
            at += 1
        yield start, end, first


# --- the front -------------------------------------------------------------------------------------------------------


class Stream:
    """Redacts a text that comes in pieces; what `feed` and `close` return, joined, is what `Redactor.text` returns.

    Held back is the line that is not yet complete, at most `longest` characters. A longer line is cut where the cut
    changes nothing: both sides, redacted alone, give what they give together. If there is no such place (a secret of
    100 000 characters), the line ends with a mask.
    """

    def __init__(self, known: _Known | None = None, longest: int = LONGEST_LINE) -> None:
        self._known = known
        self._longest = longest
        self._pieces: list[str] = []
        self._held = 0
        self._block: _Block | None = None
        self._dropping = False  # the rest of a line that cannot be cut

    def feed(self, chunk: str) -> str:
        """Take the next piece of the text; return what is certain by now."""
        self._pieces.append(chunk)
        self._held += len(chunk)
        return self._drain() if "\n" in chunk or self._held >= self._longest else ""

    def close(self) -> str:
        """Return the rest."""
        out = self._drain()
        rest = "".join(self._pieces)
        self._pieces, self._held = [], 0
        return out + self._line(rest)

    def _drain(self) -> str:
        text = "".join(self._pieces)
        out: list[str] = []
        at = 0
        while True:
            end = text.find("\n", at, at + self._longest)
            if end >= 0:
                out += [self._line(text[at:end]), "\n"]
                at = end + 1
                self._dropping = False
            elif len(text) - at >= self._longest:
                shown, taken = self._cut(text[at : at + self._longest])
                out.append(shown)
                at += taken
            else:
                break
        self._pieces = [text[at:]]
        self._held = len(text) - at
        return "".join(out)

    def _line(self, line: str) -> str:
        if self._dropping:
            return ""
        line, self._block = _redact_line(line, self._block, self._known)
        return line

    def _cut(self, piece: str) -> tuple[str, int]:
        """Redact the beginning of an overlong line: the text and how many characters of the piece it stands for."""
        if self._dropping:
            return "", len(piece)
        block, self._block = self._block, None
        whole, _ = _redact_line(piece, block, self._known)
        for at in (len(piece) * eighths // 8 for eighths in (7, 6, 4, 2)):
            left, _ = _redact_line(piece[:at], block, self._known)
            if whole.startswith(left) and left + _redact_line(piece[at:], None, self._known)[0] == whole:
                return left, at
        self._dropping = True
        return whole if _MASK_AT_END.search(whole[-24:]) else whole + MASK, len(piece)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks what looks secret, and the secrets that are known, in every form they are written in.

    Known values shorter than six characters and common words are not used: they would eat harmless text.
    """

    _secrets: frozenset[str] = field(default=frozenset(), repr=False)
    _known: _Known | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Self:
        """Make a redactor that knows these secrets."""
        kept = frozenset(secrets)
        return cls(kept, _Known.of(kept))

    def with_secrets(self, secrets: Iterable[str]) -> Self:
        """The same redactor that knows more secrets."""
        return self.of(self._secrets.union(secrets))

    def text(self, text: str) -> str:
        """Mask every secret in a text of any size; a text without one comes back as it is."""
        if len(text) < LONGEST_LINE and "\n" not in text:
            return _redact_line(text, None, self._known)[0]
        if not _starts(_lower(text)) and not (self._known and self._known.anywhere(text)):
            return text
        stream = self.stream()
        return stream.feed(text) + stream.close()

    def stream(self) -> Stream:
        """Begin to redact a text that comes in pieces."""
        return Stream(self._known)


_PATTERNS_ONLY = Redactor()


def redact(text: str) -> str:
    """Mask what looks secret in a text; the same for `redact(text)` again."""
    return _PATTERNS_ONLY.text(text)

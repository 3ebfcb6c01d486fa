"""Why a LiveKit server's API could not be asked → one sentence with its remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import Unreachable
from bot.livekit.words import quote
from bot.redact import redact

if TYPE_CHECKING:
    from bot.settings import Target


def set_in(target: Target, *fields: str) -> str:
    """Where these settings come from, in brackets."""
    found = dict.fromkeys(origin for name in fields if (origin := target.origin(name)))
    return f" ({', '.join(found)})" if found else ""


def refusal(target: Target, url: str, status: int, says: str, skew: float | None) -> Unreachable:
    """What a server's refusal means, and what to do about it.

    Source: run on livekit 1.13.5, in plain text: `invalid API key: K`; `invalid token: JWT, error: E`, where E is
    `token signature is invalid: …`, `… token is not valid yet` or `… token is expired`.
    """
    if status in {401, 403}:
        return _not_let_in(target, redact(url), status, says, skew)
    if status in {400, 404, 405} or status < 400:
        return no_livekit(target, url, f"has no LiveKit API ({status})")
    told = f": {short(says)}" if says else ""
    return Unreachable(
        f"{redact(url)} cannot answer just now ({status}{told}): look at the server's log, then ask again"
    )


def _not_let_in(target: Target, where: str, status: int, says: str, skew: float | None) -> Unreachable:
    """Whether it is the key, its secret or the time."""
    keys, low = set_in(target, "api_key", "api_secret"), says.casefold()
    pair = "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to a pair that the server has under `keys`"
    kind, told = "refused", f": {short(says)}" if says else ""
    if "signature" in low or "cryptographic" in low:
        text = f"{where} knows the API key {quote(target.api_key)}, but the secret is another{keys} (401): correct LIVEKIT_API_SECRET"
    elif "api key" in low:
        text = f"{where} does not know the API key {quote(target.api_key)}{keys} (401): {pair}"
    elif any(word in low for word in ("nbf", "not valid yet", "expired", "issued in the future")):
        by = f" (this one is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead'})" if skew else ""
        text = f"{where} refuses the token for its time (401): set this machine's clock and the server's right{by}"
        kind = "clock"
    else:
        text = f"{where} refuses the API key or its secret{keys} ({status}{told}): {pair}"
    return Unreachable(text, kind=kind)


def no_livekit(target: Target, url: str, what: str) -> Unreachable:
    """Something else is there."""
    return Unreachable(
        f"{redact(url)} {what}{set_in(target, 'livekit_url')}: LIVEKIT_URL must lead to the LiveKit server itself "
        "(port 7880 unless its configuration says otherwise)"
    )


def no_answer(target: Target, url: str, problem: BaseException) -> Unreachable:
    """Why nobody answers there, and what to do about it."""
    return Unreachable(_silence(redact(url), set_in(target, "livekit_url"), problem))


def _silence(where: str, here: str, problem: BaseException) -> str:
    import aiohttp

    if isinstance(problem, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        return f"the proxy of the environment does not lead to {where}{here} ({short(str(problem))}): correct HTTP_PROXY or HTTPS_PROXY, or name the host in NO_PROXY"
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return f"there is no host {problem.host}{here}: correct LIVEKIT_URL, or the name service of this machine"
    if isinstance(problem, aiohttp.ClientSSLError):
        plain = "WRONG_VERSION" in str(problem) or "RECORD_LAYER" in str(problem)
        way = (
            "the server speaks no TLS there, so use ws:// instead of wss:// in LIVEKIT_URL"
            if plain
            else "give this machine the certificate's authority (SSL_CERT_FILE), or use the name that the certificate is for"
        )
        return f"no TLS with {where}{here} ({short(str(problem.__cause__ or problem))}): {way}"
    if isinstance(problem, TimeoutError):
        return f"{where} does not answer in time{here}: is the server running and the way to it open?"
    if isinstance(problem, aiohttp.ClientConnectorError):
        refused = isinstance(problem.os_error, ConnectionRefusedError)
        what = "nobody listens at" if refused else f"no way ({problem.os_error.strerror or problem.os_error}) to"
        return f"{what} {where}{here}: start the LiveKit server, or correct LIVEKIT_URL"
    return f"{where} breaks off{here} ({short(str(problem)) or type(problem).__name__}): is it a LiveKit server, and does it speak TLS (wss://)?"


def short(text: str) -> str:
    """A few words of it, redacted, on one line."""
    text = " ".join(redact(text).split())
    return text if len(text) <= 160 else text[:159] + "…"

"""The messages of LiveKit's server and of agents workers, each with the event it stands for."""

from __future__ import annotations

import re
from typing import Final

# Server messages, exact, as in livekit-server 1.6 to 1.13 (loggers `livekit.agents` and `livekit`).
SERVER: Final[dict[bytes, str]] = {
    b"worker registered": "worker-registered",
    b"initial worker registered": "worker-registered",  # 1.6 to 1.7.2, first worker of a kind only
    b"last worker deregistered": "worker-gone",
    b"closing worker": "worker-closing",
    b"not dispatching agent job since no worker is available": "not-dispatching",
    b"not dispatching agent": "not-dispatching",  # the shortened form people write down
    b"not dispatching agent job": "not-dispatching",
    b"failed to send job request": "request-failed",
    b"assigned job to worker": "assigned",
    b"assigning job": "assigned",  # 1.6 to 1.7.2, DEBUG
    b"failed to assign job to worker": "assign-failed",
    b"no worker available to handle job": "no-worker-for-job",
    b"received availability response for unknown job": "late-answer",
    b"job ended": "job-ended",
    b"failed to check enabled": "bus-trouble",
    b"failed to register job request topic": "bus-trouble",
    b"failed to publish worker registered": "bus-trouble",
    b"failed to register JobTerminate handler": "bus-trouble",
    b"failed to build agent token": "bus-trouble",
    b"unable to handle worker signal": "signal-refused",
    b"error handling request": "http-refused",
    b"API AgentDispatchService.CreateDispatch": "api-create-dispatch",
    b"API RoomService.CreateRoom": "api-create-room",
    b"starting RTC session": "session-starting",
    b"participant active": "participant-active",
    b"participant closing": "participant-closing",
    b"removing participant without connection": "participant-removed",
    b"mediaTrack published": "track-published",
    b"closing idle room": "room-closing",
    b"closing room": "room-closing",
    b"room closed": "room-closed",
    b"selected node for room": "node-selected",
    b"starting LiveKit server": "server-starting",
    b"using single-node routing": "single-node",
    b"connecting to redis": "redis",
}

# Worker messages, exact: agents-js and livekit-agents for Python.
WORKER: Final[dict[bytes, str]] = {
    b"starting worker": "w-starting",
    b"registered worker": "w-registered",
    b"received job request": "w-request",
    b"worker is at full capacity, marking as unavailable": "w-full",
    b"worker is below capacity, marking as available": "w-available",
    b"no answer was given inside the jobRequestFunc, automatically rejecting the job": "w-no-answer",
    b"no answer was given inside the job_request_fnc, automatically rejecting the job": "w-no-answer",
    b"jobRequestFunc failed": "w-handler-failed",
    b"job_request_fnc failed": "w-handler-failed",
    b"supervised process run failed": "w-init-failed",
    b"error initializing process": "w-init-failed",
    b"error initializing inference process": "w-init-failed",
    b"timed out waiting for idle processes to initialize": "w-init-slow",
    b"initialization timed out, killing job": "w-init-timeout",  # Python up to 1.2
    b"initialization timed out, killing process": "w-init-timeout",
    b"runner initialization timed out": "w-init-timeout",
    b"no warmed process available for job, waiting for one to be created": "w-init-slow",
    b"all in-flight spawns failed to initialize, retrying": "w-spawn-failed",
    b"process initialized": "w-initialized",
    b"initializing process": "w-initializing",
    b"job runner initialized": "w-initialized",
    b"initializing job runner": "w-initializing",
    b"error launching job": "w-launch-failed",
    b"error in entry function": "w-entry-failed",
    b"unhandled exception while running the job task": "w-entry-failed",
    b"Unhandled promise rejection": "w-rejection",  # agents-js up to 1.0.x, DEBUG: the only trace of a throwing entry
    b"job is unresponsive, killing job": "w-unresponsive",
    b"process is unresponsive, killing process": "w-unresponsive",
    b"job is unresponsive": "w-unresponsive",
    b"process is unresponsive": "w-unresponsive",
    b"job process exceeded memory limit, killing it": "w-memory",
    b"process exceeded memory limit, killing process": "w-memory",
    b"closing worker due to error.": "w-gave-up",
    b"worker failed": "w-failed",
    b"draining worker": "w-draining",
    b"shutting down worker": "w-closing",
    b"SIGTERM received in CLI.": "w-draining",
    b"SIGTERM received in CLI": "w-draining",
    b"SIGINT received in CLI.": "w-draining",
    b"runner not started": "w-draining",  # agents-js 1.9.0: told to stop while a process starts, it never ends
    b"Worker is draining and no longer available, rejecting job": "w-drain-reject",
    b"custom loadFunc is not supported when deploying to Cloud, using defaults": "w-cloud-load",
    b"worker connection closed unexpectedly": "w-connection-lost",
    b"process exiting": "w-process-exiting",
    b"job started": "w-job-started",
    b"Connect callback received": "w-connecting",
    b"connected to LiveKit server": "w-connected",
}

# Messages with a variable part; tried in order, at the beginning of a message only.
_PREFIXES: Final[tuple[tuple[str, str], ...]] = (
    (r"failed to connect to LiveKit server", "w-connect-failed"),
    (r"failed to connect to livekit, retrying", "w-connect-failed"),
    (r"failed to connect to livekit after \d+ attempts", "w-gave-up"),
    (r"failed to connect to livekit", "w-connect-failed"),
    (r"Error connecting to LiveKit", "w-connect-failed"),
    (r"assignment for job \S+ timed out", "w-assignment-late"),
    (r"received assignment for unknown job", "w-assignment-unknown"),
    (r"room not connect after job_entry was called", "w-no-connect"),
    (r"The room connection was not established within", "w-no-connect"),
    (r"failed to acquire process for job after \d+ attempts", "w-no-process"),
    (r"job process exited unexpectedly", "w-job-died"),
    (r"process exited with non-zero exit code", "w-exit"),
    (r"job executor is unresponsive", "w-unresponsive"),
    (r"custom load_fnc is not supported when hosting on Cloud", "w-cloud-load"),
    (r"(?:process|job) memory usage .* exceeded|process exceeded memory", "w-memory"),
    (r"process exited before initializing", "w-init-crash"),
    (r"(?:livekit(?:_ffi)?::\S+ - )?[^\n{]{0,80}wait_pc_connection timed out", "w-ice-failed"),
    (r"(?:livekit(?:_ffi)?::\S+ - )?[^\n{]{0,80}could not establish pc connection", "w-ice-failed"),
    (r"The job task completed without establishing a connection", "w-no-connect"),
    (r"job task completed without connecting or shutting down", "w-no-connect"),
    (r"job process exited with non-zero exit code", "w-exit"),
    (r"failed to launch job on process after \d+ attempts", "w-launch-failed"),
    (r"worker closed due to SIGTERM", "w-draining"),
    (r"job initialization is taking too much time", "w-init-timeout"),
    # Rich tables fold long messages; their beginning has to do.
    (r"no warmed process available", "w-init-slow"),
    (r"timed out waiting for idle", "w-init-slow"),
    (r"all in-flight spawns failed", "w-spawn-failed"),
    (r"unhandled exception while running", "w-entry-failed"),
    (r"worker is at full capacity", "w-full"),
    (r"worker is below capacity", "w-available"),
    (r"no answer was given inside the job", "w-no-answer"),
    (r"not dispatching agent\b", "not-dispatching"),
    (r"API AgentDispatchService\.CreateDispatch", "api-create-dispatch"),
)
PREFIX: Final = tuple((re.compile(pattern.encode()), kind) for pattern, kind in _PREFIXES)
_ANY_PREFIX: Final = re.compile(b"|".join(b"(?:" + p.encode() + b")" for p, _ in _PREFIXES))

# What a process prints on its own when the program itself fails: no logger, no fields.
CRASH: Final = re.compile(rb"(?:[A-Za-z_.]{0,80}(?:Error|Exception)(?: \[(?P<code>[A-Z_]+)\])?:|Uncaught )")

# The texts of `error` that the server puts behind `failed to send job request` and its WARN pair.
ERRORS: Final = re.compile(
    rb"no servers available \(received \d+ responses?\)|no response from servers|"
    rb"no workers with sufficient capacity|no workers? available|request timed out|"
    rb"context deadline exceeded|agent worker availability timeout|worker not available|worker closed"
)


def kind_of(message: bytes) -> str | None:
    """The event that this message (without time, level and fields) stands for; None when it is none of ours."""
    kind = SERVER.get(message) or WORKER.get(message)
    if kind is None and _ANY_PREFIX.match(message):
        return next(kind for pattern, kind in PREFIX if pattern.match(message))
    return kind


_TEXTS: Final = sorted({*SERVER, *WORKER}, key=len, reverse=True)
MESSAGE: Final = re.compile(
    b"(?:"
    + b"|".join(re.escape(t) for t in _TEXTS)
    + b"|"
    + b"|".join(b"(?:" + p.encode() + b")[^\n{]*" for p, _ in _PREFIXES)
    + b")"
)

"""Per cause: what to do, in a sentence or two, and which runbook treats it."""

from __future__ import annotations

from typing import Final

RUNBOOK: Final[dict[str, str]] = {
    "dispatch-missing": "agent-never-joins",
    "worker-unnamed": "agent-never-joins",
    "name-mismatch": "agent-never-joins",
    "room-already-existed": "agent-never-joins",
    "load-refused": "no-servers-available",
}

REMEDY: Final[dict[str, str]] = {
    "no-worker": "Start the worker and see that it logs `registered worker`; its own log says why it ends if it does.",
    "worker-auth": "Give the worker the API key and secret that this server knows (LIVEKIT_API_KEY, LIVEKIT_API_SECRET) and restart it.",
    "worker-unreachable": "Correct the worker's LIVEKIT_URL; the path /agent of that address must reach this server with a websocket upgrade.",
    "worker-refused": "Read the server's line of that moment: it refuses what the worker sends when it registers.",
    "name-mismatch": "Use one name on both sides: the worker's agentName and the dispatch must be equal, character by character.",
    "dispatch-missing": "Ask for the agent by its name in the token (RoomAgentDispatch) or with CreateDispatch, or drop the worker's agentName so that it joins every new room.",
    "worker-unnamed": "Give the worker the name that is asked for, or drop the dispatch from the token: both or neither.",
    "room-already-existed": "Use a new room name per session, or call CreateDispatch for the living room; a shorter departure_timeout helps against quick returns.",
    "init-timeout": "Make prewarm lighter or raise the limit (initializeProcessTimeout in ms, initialize_process_timeout in s).",
    "init-crash": "Correct the error that stands just above in the worker's log: the process ends before it is ready.",
    "entry-crash": "Correct the error in the agent's entry function; the worker's log has its trace.",
    "load-refused": "Raise the capacity (more or larger workers), report a truthful load (agents-js 1.0.49 or newer respects container limits), raise agents.target_load (server 1.11 or newer), "
    "or, with one worker and few rooms, report no load: loadFunc: async () => 0.",
    "draining": "Let the new worker register before the old one is told to stop, so that deploys overlap.",
    "ice-failed": "Let the agent's UDP reach the server: rtc.node_ip or use_external_ip, the UDP ports, or TURN.",
    "request-rejected": "Look at the request handler (requestFunc, request_fnc, on_request): it rejected the job or gave no answer.",
    "request-slow": "Answer in the request handler at once, within 3 s, and do not block the event loop there.",
    "worker-died": "Find out why the worker ended (its log, exit code, memory) and keep a second one running.",
    "worker-late": "Start workers before rooms are made; for this room call CreateDispatch.",
    "nodes-not-shared": "Give all server nodes the same Redis, or send rooms and workers to the same node.",
    "competing-worker": "Stop the other workers that use the same key and name, or give yours a name of its own.",
    "deployment-mismatch": "Make the worker's deployment (LIVEKIT_AGENT_DEPLOYMENT) and the dispatch's deployment equal, or set neither.",
    "no-publisher": "Let users publish a track, or register the worker as JT_ROOM.",
    "job-type-unsupported": "Use server 1.8.4 or newer for JT_PARTICIPANT workers, or register as JT_ROOM.",
    "deployment-name-invalid": "Use a deployment name that the server allows (no `_`).",
    "bus-trouble": "Repair the server's Redis: without its message bus nothing can be dispatched.",
    "join-refused": "Correct the user's token or URL: without the user's join there is no room.",
}

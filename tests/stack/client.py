"""A real client in a process of its own: it joins, publishes and tells what it sees, one JSON object on each line.

Runs with the interpreter that has LiveKit's packages (`ready.client_python`), which the tests' own does not need.
Address and keys come from LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
import time
from typing import Any


def main() -> None:
    """Do the one thing that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "what", choices=["join", "token", "create-room", "create-dispatch", "participants", "delete-room"]
    )
    parser.add_argument("--room", required=True)
    parser.add_argument("--identity", default="user")
    parser.add_argument("--agent", action="append", default=[])
    parser.add_argument("--token")
    parser.add_argument("--url")
    parser.add_argument("--publish", action="store_true")
    asked = parser.parse_args()
    if asked.what == "token":
        say(token=token(asked.room, asked.identity, asked.agent))
    elif asked.what == "join":
        asyncio.run(join(asked.url, asked.token, publish=asked.publish))
    else:
        asyncio.run(call(asked.what, asked.room, asked.agent))


def say(**fields: object) -> None:
    """Tell one thing, with its time in seconds since the epoch."""
    print(json.dumps({"time": time.time(), **fields}), flush=True)


def token(room: str, identity: str, agents: list[str]) -> str:
    """Sign a join token as a Python backend does, with a dispatch for each agent named."""
    api = importlib.import_module("livekit.api")
    made = api.AccessToken().with_identity(identity).with_grants(api.VideoGrants(room_join=True, room=room))
    if agents:
        dispatches = [api.RoomAgentDispatch(agent_name=name) for name in agents]
        made = made.with_room_config(api.RoomConfiguration(agents=dispatches))
    return str(made.to_jwt())


async def call(what: str, room: str, agents: list[str]) -> None:
    """Make one call of the LiveKit API, as a backend does."""
    api = importlib.import_module("livekit.api")
    async with api.LiveKitAPI() as server:
        if what == "create-room":
            dispatches = [api.RoomAgentDispatch(agent_name=name) for name in agents]
            made = await server.room.create_room(api.CreateRoomRequest(name=room, agents=dispatches))
            say(sid=made.sid)
        elif what == "create-dispatch":
            asked = api.CreateAgentDispatchRequest(room=room, agent_name=agents[0])
            say(id=(await server.agent_dispatch.create_dispatch(asked)).id)
        elif what == "delete-room":
            await server.room.delete_room(api.DeleteRoomRequest(room=room))
            say()
        else:
            here = (await server.room.list_participants(api.ListParticipantsRequest(room=room))).participants
            kind, state = api.ParticipantInfo.Kind.Name, api.ParticipantInfo.State.Name
            say(participants=[{"identity": p.identity, "kind": kind(p.kind), "state": state(p.state)} for p in here])


async def join(url: str, token: str, *, publish: bool) -> None:
    """Join, tell of every participant until standard input ends, then leave."""
    rtc = importlib.import_module("livekit.rtc")
    room = rtc.Room()

    def came(participant: Any) -> None:  # noqa: ANN401  (the package has no place in the tests' environment)
        kind = "agent" if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT else "participant"
        say(event=kind, identity=participant.identity)

    room.on("participant_connected", came)
    room.on("participant_disconnected", lambda participant: say(event="left", identity=participant.identity))
    room.register_text_stream_handler("lk.chat", lambda _, identity: say(event="text", identity=identity))
    await room.connect(url, token)
    say(event="joined", identity=room.local_participant.identity, sid=await room.sid)
    for participant in room.remote_participants.values():
        came(participant)
    if publish:
        source = rtc.AudioSource(48_000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        say(event="published", track=(await room.local_participant.publish_track(track, microphone)).sid)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await room.disconnect()
    say(event="left", identity="self")


if __name__ == "__main__":
    main()

import datetime

from livekit.api import (
    AccessToken,
    RoomAgentDispatch,
    RoomConfiguration,  # for the dispatch
    VideoGrants,
)


def token(room: str, identity: str) -> str:
    return (
        AccessToken("key", "secret")
        .with_identity(identity)
        # What the user may do.
        .with_grants(VideoGrants(room_join=True, room=room))  # join
        # Who talks to the user.
        .with_room_config(
            RoomConfiguration(
                agents=[RoomAgentDispatch(agent_name="greeter")],
            ),
        )  # dispatch
        .with_ttl(datetime.timedelta(hours=1))
        .to_jwt()
    )

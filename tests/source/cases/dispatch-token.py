import datetime

from livekit import api

AGENT = "front-desk"


def token(room: str, identity: str) -> str:
    return (
        api.AccessToken("key", "secret")
        .with_identity(identity)
        .with_grants(api.VideoGrants(room_join=True, room=room))
        .with_room_config(
            api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=AGENT, metadata="{}")]),
        )
        .with_ttl(datetime.timedelta(hours=1))
        .to_jwt()
    )


def guest(room: str) -> str:
    made = api.AccessToken("key", "secret").with_grants(api.VideoGrants(room_join=True, room=room))
    return made.to_jwt()


def admin() -> str:
    return api.AccessToken("key", "secret").with_grants(api.VideoGrants(room_admin=True)).to_jwt()


def sometimes(room: str, agent_name: str | None = None) -> str:
    made = api.AccessToken("key", "secret").with_grants(api.VideoGrants(room_join=True, room=room))
    if agent_name:
        made = made.with_room_config(
            api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=agent_name)]),
        )
    return made.to_jwt()

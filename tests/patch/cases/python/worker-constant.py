from livekit import api
from livekit.agents import WorkerOptions, cli

AGENT = "old-name"


def token(room: str) -> str:
    config = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=AGENT)])
    grants = api.VideoGrants(room_join=True, room=room)
    return api.AccessToken().with_grants(grants).with_room_config(config).to_jwt()


if __name__ == "__main__":
    print(f"starting {AGENT}")
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name=AGENT))

import json

from livekit import api

config = api.RoomConfiguration(
    agents=[
        api.RoomAgentDispatch(
            agent_name="greeter",
            metadata=json.dumps({"user": 1}),
        )
    ]
)
print(api.AccessToken().with_identity("me").with_room_config(config).to_jwt())

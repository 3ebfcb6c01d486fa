from livekit import api
from livekit.protocol.room import RoomAgentDispatch, RoomConfiguration

made = api.AccessToken().with_identity("me").with_room_config(RoomConfiguration(agents=[RoomAgentDispatch(agent_name='greeter')])).to_jwt()

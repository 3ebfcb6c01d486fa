from livekit import api

config = api.RoomConfiguration()
config.agents.append(api.RoomAgentDispatch(agent_name="appended"))
config.agents.add(agent_name="added")
token = api.AccessToken().with_room_config(config)

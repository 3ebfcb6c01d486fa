from livekit import api

print(api.AccessToken().with_identity("me").to_jwt())
request = api.CreateAgentDispatchRequest(agent_name="greeter", room="r")

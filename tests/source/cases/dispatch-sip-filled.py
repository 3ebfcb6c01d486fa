from livekit import api

request = api.CreateSIPDispatchRuleRequest(name="inbound")
request.room_config.agents.append(api.RoomAgentDispatch(agent_name="for-calls"))
room = api.CreateRoomRequest(name="r")
room.agents.append(api.RoomAgentDispatch(agent_name="with-the-room"))
info = api.CreateSIPDispatchRuleRequest(
    dispatch_rule=api.SIPDispatchRuleInfo(
        name="inbound",
        room_config=api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="inside-the-rule")]),
    )
)

from livekit import api

rule = api.CreateSIPDispatchRuleRequest(
    rule=api.SIPDispatchRule(dispatch_rule_individual=api.SIPDispatchRuleIndividual(room_prefix="call-")),
    room_config=api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="phone-agent")]),
)

import requests


def dispatch(room: str, payload: dict) -> None:
    requests.post(
        "http://livekit/twirp/livekit.AgentDispatchService/CreateDispatch",
        json={"room": room, "agent_name": "without-an-sdk"},
    )
    requests.post("http://livekit/twirp/livekit.AgentDispatchService/CreateDispatch", json=payload)
    requests.post(
        "http://livekit/twirp/livekit.RoomService/CreateRoom",
        json={"name": room, "agents": [{"agent_name": "with-the-room"}]},
    )


RULE = {
    "dispatch_rule": {
        "rule": {"dispatchRuleIndividual": {"roomPrefix": "call-"}},
        "roomConfig": {"agents": [{"agentName": "for-calls"}]},
    }
}

import json


def body(room: str) -> str:
    return json.dumps(
        {
            "room": room,
            "room_config": {"agents": [{"agent_name": "greeter"}]},  # explicit
            "ttl": 60,
        }
    )


def claims(room: str) -> dict:
    return {"video": {"roomJoin": True}, "roomConfig": {"agents": [{"agentName": "greeter"}], "emptyTimeout": 60}}

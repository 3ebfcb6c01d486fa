import json

BODY = {"room_config": {"agents": [{"agent_name": "asked-for-in-the-body"}]}}
CLAIMS = json.dumps({"video": {"roomJoin": True}, "roomConfig": {"agents": [{"agentName": "in-the-claims"}]}})

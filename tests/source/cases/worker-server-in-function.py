from livekit.agents import AgentServer

_server = None


def get_server() -> AgentServer:
    global _server
    if _server is None:
        _server = AgentServer(initialize_process_timeout=30)
        _server.rtc_session(agent_name="made-when-needed")(session)
    return _server

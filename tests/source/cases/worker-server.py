from livekit.agents import AgentServer, JobContext, JobRequest, ServerType, cli


def current_load(server: AgentServer) -> float:
    return 0.0


async def on_request(request: JobRequest) -> None:
    await request.accept()


server = AgentServer(load_threshold=0.97, initialize_process_timeout=4.0)
server.load_fnc = current_load


@server.rtc_session(agent_name="decorated", on_request=on_request)
async def entrypoint(ctx: JobContext) -> None:
    await ctx.connect()


other = AgentServer()


@other.rtc_session
async def bare(ctx: JobContext) -> None: ...


third = AgentServer(load_fnc=current_load)
third.rtc_session(agent_name="called", type=ServerType.PUBLISHER)(entrypoint)
fourth = AgentServer()
fourth.rtc_session(entrypoint, agent_name="direct")

if __name__ == "__main__":
    cli.run_app(server)

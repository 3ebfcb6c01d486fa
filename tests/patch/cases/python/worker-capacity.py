from livekit.agents import AgentServer, cli

server = AgentServer()


def compute_load(server: AgentServer) -> float:
    return min(len(server.active_jobs) / 10, 1.0)


server.load_fnc = compute_load


@server.rtc_session()
async def session(ctx):
    await ctx.connect()


cli.run_app(server)

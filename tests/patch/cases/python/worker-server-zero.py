from livekit.agents import AgentServer, cli

server = AgentServer()
server.load_fnc = lambda *_: 0.0  # always free


@server.rtc_session()
async def session(ctx):
    await ctx.connect()


cli.run_app(server)

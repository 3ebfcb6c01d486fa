from livekit.agents import AgentServer, cli
server = AgentServer()

@server.rtc_session
async def session(ctx):
    await ctx.connect()

cli.run_app(server)

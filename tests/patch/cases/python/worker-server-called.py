from livekit.agents import AgentServer, cli


async def session(ctx):
    await ctx.connect()


server = AgentServer(
    port=8081  # health
)
server.rtc_session(session, agent_name="called")
cli.run_app(server)

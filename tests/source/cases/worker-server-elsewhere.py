from livekit.agents import cli

from app.server import server


@server.rtc_session(agent_name="registered-here")
async def entrypoint(ctx): ...


cli.run_app(server)

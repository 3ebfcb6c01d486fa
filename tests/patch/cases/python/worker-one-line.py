from livekit import agents

async def entrypoint(ctx): await ctx.connect()

agents.cli.run_app(agents.WorkerOptions(entrypoint_fnc=entrypoint, agent_name='one', port=8081))

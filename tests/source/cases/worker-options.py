"""cli.run_app(WorkerOptions(agent_name="from-the-docstring"))"""

import os

from livekit import agents
from livekit.agents import WorkerOptions, cli

# cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, agent_name="from-a-comment"))
decoy = {"agent_name": "decoy"}


async def entrypoint(ctx: agents.JobContext) -> None:
    await ctx.connect()


if __name__ == "__main__":
    cli.run_app(
        WorkerOptions(
            entrypoint_fnc=entrypoint,
            agent_name="front-desk",
            initialize_process_timeout=20.0,
            load_threshold=0.5,
            load_fnc=lambda: 0.0,
            request_fnc=accept,
        )
    )

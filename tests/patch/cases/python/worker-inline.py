"""A voice agent."""

import os

from livekit.agents import JobContext, WorkerOptions, cli


async def entrypoint(ctx: JobContext) -> None:
    await ctx.connect()


# Started by the container.
if __name__ == "__main__":
    cli.run_app(
        WorkerOptions(
            entrypoint_fnc=entrypoint,
            # The name that the front end asks for.
            agent_name=os.getenv("FRONT_AGENT", "front-desk"),  # keep in step
            num_idle_processes=1,  # small machine
        )
    )

from livekit.agents import AgentServer, JobContext, cli
from livekit.agents.worker import ServerType

from .vad import prewarm


def idle(server: AgentServer) -> float:
    """Whatever the machine does, take the job."""
    return 0.0


server = AgentServer(load_fnc=idle, num_idle_processes=2)
server.setup_fnc = prewarm


@server.rtc_session(agent_name="decorated", type=ServerType.ROOM)
async def session(ctx: JobContext) -> None:
    await ctx.connect()


if __name__ == "__main__":
    cli.run_app(server)

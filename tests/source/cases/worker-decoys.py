from aiohttp import web

from gradio import WorkerOptions
from other_agents import AgentServer, cli

app = web.Application()
web.run_app(app)
cli.run_app(WorkerOptions(agent_name="other-sdk"))


class Options:
    agent_name = "own-class"


router = Router()


@router.session(agent_name="not-a-session")
def handler() -> None: ...

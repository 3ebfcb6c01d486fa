from livekit.agents import WorkerOptions, WorkerType, cli

from .agent import entrypoint

options = WorkerOptions(entrypoint, worker_type=WorkerType.ROOM)
options.agent_name = "set-later"  # for the front end
options.load_fnc = lambda: 0

cli.run_app(options)

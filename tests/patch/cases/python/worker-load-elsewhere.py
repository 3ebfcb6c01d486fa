from livekit.agents import WorkerOptions, cli

from .load import report

cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, load_fnc=report))

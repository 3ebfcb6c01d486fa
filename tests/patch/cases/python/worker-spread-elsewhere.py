from livekit.agents import WorkerOptions, cli

from .options import OPTIONS

cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, **OPTIONS))

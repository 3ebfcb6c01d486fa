import os
from os import environ, getenv

from livekit.agents import WorkerOptions, cli

cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=os.environ["REQUIRED"]))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=os.environ.get("WITH_DEFAULT", "default")))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=os.getenv("OR_DEFAULT") or "other"))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=getenv("STRIPPED", " padded ").strip()))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=environ.get("NOTHING")))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=f"{os.environ['STAGE']}-bot"))

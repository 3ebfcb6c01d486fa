from livekit.agents import WorkerOptions, cli


def make_options() -> WorkerOptions:
	return WorkerOptions(
		entrypoint_fnc=entrypoint,
		agent_name="made",
	)


cli.run_app(make_options())

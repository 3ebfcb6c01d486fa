from livekit.agents import cli

from .options import options

cli.run_app(options)

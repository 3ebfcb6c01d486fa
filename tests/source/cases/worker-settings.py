from dataclasses import dataclass
from enum import Enum

from livekit.agents import AgentServer, WorkerOptions, cli
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="VOICE_")

    agent_name: str = "from-settings"
    other: str = Field("aliased-default", validation_alias="OTHER_AGENT")
    required: str


class Names(str, Enum):
    SUPPORT = "from-an-enum"


class Constants:
    NAME = "from-a-class"


@dataclass
class Config:
    agent_name: str = "from-a-dataclass"
    level: int = 3


class Launcher:
    def __init__(self, name: str = "from-init") -> None:
        self.name = name

    @property
    def full(self) -> str:
        return "property-" + self.name

    def run(self) -> None:
        cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=self.name))


settings = Settings()
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=settings.agent_name))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=settings.other))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=settings.required))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=Names.SUPPORT.value))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=Constants.NAME))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=Config().agent_name))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=Config(agent_name="given").agent_name))
cli.run_app(WorkerOptions(entrypoint_fnc=e, agent_name=Launcher("made").full))

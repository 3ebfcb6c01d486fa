import os

from fastapi import Depends
from livekit import api
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    agent_name: str = "by-default"


class Tokens:
    def __init__(self, agent_name: str = "from-init") -> None:
        self._agent_name = agent_name

    def create(self, room: str) -> str:
        return self._make(room, "passed-by-a-method")

    def _make(self, room: str, agent_name: str) -> str:
        return (
            api.AccessToken()
            .with_grants(api.VideoGrants(room_join=True, room=room))
            .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=agent_name)]))
            .to_jwt()
        )


def endpoint(room: str, settings: Settings = Depends(get_settings)) -> str:
    config = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=settings.agent_name)])
    return api.AccessToken().with_room_config(config).to_jwt()


class Config:
    def __init__(self, agent_name: str) -> None:
        self.agent_name = agent_name

    @classmethod
    def from_env(cls) -> "Config":
        return cls(agent_name=os.environ.get("CONFIGURED", "not-configured"))


config = Config.from_env()
request = api.CreateAgentDispatchRequest(agent_name=config.agent_name, room="r")

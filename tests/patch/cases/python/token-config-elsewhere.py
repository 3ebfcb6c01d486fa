from livekit import api

from .rooms import config

print(api.AccessToken().with_identity("me").with_room_config(config).to_jwt())

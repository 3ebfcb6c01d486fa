from livekit import api

grants = api.VideoGrants(room_join=True, room="r")
user = api.AccessToken().with_identity("me").with_kind("standard").with_grants(grants)
agent = api.AccessToken().with_identity("agent").with_kind("agent").with_grants(grants)

from livekit.api.access_token import AccessToken, VideoGrants

print(AccessToken().with_grants(VideoGrants(room_join=True, room="r")).to_jwt())

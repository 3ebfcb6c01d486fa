from livekit.api import AccessToken, VideoGrants


class RoomConfiguration: ...


print(AccessToken().with_grants(VideoGrants(room_join=True, room="r")).to_jwt())

from livekit.api import AccessToken, VideoGrants


def token(room: str) -> str:
    return (
        AccessToken()
        .with_identity('me')  # who
        .with_grants(
            VideoGrants(room_join=True, room=room)
        )
        .to_jwt()
    )


def admin() -> str:
    return AccessToken().with_grants(VideoGrants(room_list=True)).to_jwt()


def agent(room: str) -> str:
    return AccessToken().with_kind("agent").with_grants(VideoGrants(room_join=True, room=room)).to_jwt()

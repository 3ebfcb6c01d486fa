def token(room):
    from livekit.api import (
        AccessToken,
        VideoGrants,
    )

    made = AccessToken() \
        .with_grants(VideoGrants(room_join=True, room=room))
    return made.to_jwt()

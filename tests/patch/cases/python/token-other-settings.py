from livekit import api

print(
    api.AccessToken()
    .with_identity("me")
    .with_room_config(
        config=api.RoomConfiguration(
            name="r",
            empty_timeout=60,
        )
    )
    .to_jwt()
)

import livekit.api as lk

token = lk.AccessToken("key", "secret")
token.with_identity("me").with_name("Me")
token.with_grants(lk.VideoGrants(room_join=True, room="r"))
print(token.to_jwt())

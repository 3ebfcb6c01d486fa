token = api.AccessToken().with_identity("me").with_grants(api.VideoGrants(room_join=True, room="r")).to_jwt()

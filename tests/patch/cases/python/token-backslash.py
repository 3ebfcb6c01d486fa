from livekit import api


def first(room):
    return api.AccessToken() \
        .with_grants(api.VideoGrants(room_join=True, room=room)) \
        .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="greeter")])) \
        .to_jwt()


def second(room):
    made = api.AccessToken() \
        .with_grants(api.VideoGrants(room_join=True, room=room)) \
        .with_room_config(api.RoomConfiguration(
            agents=[api.RoomAgentDispatch(agent_name="greeter")],
        ))
    return made.to_jwt()

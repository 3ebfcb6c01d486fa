lkapi = api.LiveKitAPI()
dispatch = await lkapi.agent_dispatch.create_dispatch(
    api.CreateAgentDispatchRequest(
        agent_name=agent_name, room=room_name, metadata="my_job_metadata"
    )
)
token.with_room_config(RoomConfiguration(agents=[RoomAgentDispatch(agent_name="test-agent")]))

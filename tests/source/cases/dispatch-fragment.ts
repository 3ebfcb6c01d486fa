token.roomConfig = new RoomConfiguration({
  agents: [new RoomAgentDispatch({ agentName: "livekit-ganglia-agent" })],
});

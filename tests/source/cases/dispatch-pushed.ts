import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

export function token(transcribe: boolean) {
  const agents: RoomAgentDispatch[] = [];
  agents.push(new RoomAgentDispatch({ agentName: 'always' }));
  if (transcribe) {
    agents.push(new RoomAgentDispatch({ agentName: 'sometimes' }));
  }
  const made = new AccessToken('key', 'secret');
  made.roomConfig = new RoomConfiguration({ agents });
  return made;
}

export function later() {
  const made = new AccessToken('key', 'secret');
  const config = new RoomConfiguration();
  config.agents.push(new RoomAgentDispatch({ agentName: 'pushed-into-the-configuration' }));
  made.roomConfig = config;
  return made;
}

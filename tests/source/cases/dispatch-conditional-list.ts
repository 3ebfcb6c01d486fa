import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

export function token(assisted: boolean) {
  const made = new AccessToken('key', 'secret');
  made.roomConfig = new RoomConfiguration({
    agents: assisted ? [new RoomAgentDispatch({ agentName: 'assistant' })] : [],
  });
  return made.toJwt();
}

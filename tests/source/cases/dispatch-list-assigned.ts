import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

export async function token(room: string) {
  const made = new AccessToken('key', 'secret', { identity: 'guest' });
  made.addGrant({ room, roomJoin: true });
  const config = new RoomConfiguration({ name: room });
  config.agents = [new RoomAgentDispatch({ agentName: 'assigned-to-the-configuration' })];
  made.roomConfig = config;
  return made.toJwt();
}

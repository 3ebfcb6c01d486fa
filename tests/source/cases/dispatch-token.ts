import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

const AGENT = 'front-desk';

export async function createToken(room: string, identity: string): Promise<string> {
  const token = new AccessToken('key', 'secret', { identity });
  token.addGrant({ roomJoin: true, room });
  token.roomConfig = new RoomConfiguration({
    agents: [new RoomAgentDispatch({ agentName: AGENT, metadata: '{}' }), new RoomAgentDispatch({ agentName: 'scribe' })],
  });
  return token.toJwt();
}

export async function guestToken(room: string): Promise<string> {
  const token = new AccessToken('key', 'secret', { identity: 'guest' });
  token.addGrant({ roomJoin: true, room });
  return token.toJwt();
}

export async function adminToken(): Promise<string> {
  const token = new AccessToken('key', 'secret');
  token.addGrant({ roomAdmin: true, roomList: true });
  return token.toJwt();
}

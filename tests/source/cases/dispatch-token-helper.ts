import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

function withAgent(token: AccessToken, agentName = 'by-default') {
  token.roomConfig = new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName })] });
}

export async function token(identity: string) {
  const made = new AccessToken('key', 'secret', { identity });
  made.addGrant({ roomJoin: true, room: 'r' });
  withAgent(made, 'from-the-caller');
  return made.toJwt();
}

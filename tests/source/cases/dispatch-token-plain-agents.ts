import { AccessToken } from 'livekit-server-sdk';
import { RoomConfiguration } from '@livekit/protocol';

function createParticipantToken(room: string, agentName?: string) {
  const at = new AccessToken(process.env.LIVEKIT_API_KEY, process.env.LIVEKIT_API_SECRET);
  at.addGrant({ room, roomJoin: true });
  if (agentName) {
    at.roomConfig = new RoomConfiguration({ agents: [{ agentName }] });
  }
  return at.toJwt();
}

export async function POST(req: Request) {
  const body = await req.json();
  const agentName: string = body?.room_config?.agents?.[0]?.agent_name;
  return createParticipantToken('room', agentName);
}

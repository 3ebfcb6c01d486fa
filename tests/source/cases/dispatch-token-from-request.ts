import { AccessToken } from 'livekit-server-sdk';
import { RoomConfiguration } from '@livekit/protocol';

export async function POST(req: Request) {
  const body = await req.json();
  const roomConfig = body?.room_config
    ? RoomConfiguration.fromJson(body.room_config, { ignoreUnknownFields: true })
    : new RoomConfiguration();
  const at = new AccessToken('key', 'secret');
  at.addGrant({ room: 'r', roomJoin: true });
  at.roomConfig = roomConfig;
  return at.toJwt();
}

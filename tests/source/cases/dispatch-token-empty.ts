import { AccessToken, RoomConfiguration } from 'livekit-server-sdk';

const token = new AccessToken('key', 'secret');
token.addGrant({ roomJoin: true, room: 'r' });
token.roomConfig = new RoomConfiguration({ maxParticipants: 2, agents: [] });

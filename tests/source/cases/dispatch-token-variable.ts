import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

const roomConfig = new RoomConfiguration({ name: 'r', agents: [new RoomAgentDispatch({ agentName: 'kept' })] });
const token = new AccessToken('key', 'secret');
token.roomConfig = roomConfig;

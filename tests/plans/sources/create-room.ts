import { RoomServiceClient } from 'livekit-server-sdk';

const rooms = new RoomServiceClient(process.env.LIVEKIT_URL);
await rooms.createRoom({ name: 'demo', agents: [{ agentName: 'NAME' }] });

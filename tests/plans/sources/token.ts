import { AccessToken, RoomConfiguration, RoomAgentDispatch } from 'livekit-server-sdk';

const token = new AccessToken(process.env.LIVEKIT_API_KEY, process.env.LIVEKIT_API_SECRET, { identity: 'user' });
token.addGrant({ room: 'demo', roomJoin: true });
token.roomConfig = new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName: 'NAME' })] });
console.log(await token.toJwt());

import { AccessToken } from 'livekit-server-sdk';

const token = new AccessToken(process.env.LIVEKIT_API_KEY, process.env.LIVEKIT_API_SECRET, { identity: 'user' });
token.addGrant({ room: 'demo', roomJoin: true });
console.log(await token.toJwt());

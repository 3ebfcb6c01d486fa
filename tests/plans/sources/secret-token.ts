import { AccessToken } from 'livekit-server-sdk';

const token = new AccessToken('devkey', 'NAME', { identity: 'user' });
token.addGrant({ room: 'demo', roomJoin: true });
console.log(await token.toJwt());

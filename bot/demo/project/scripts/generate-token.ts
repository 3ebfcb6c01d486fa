import { parseArgs } from 'node:util';
import { AccessToken } from 'livekit-server-sdk';

const { values } = parseArgs({
  options: {
    room: { type: 'string' },
    identity: { type: 'string', default: `user-${Math.random().toString(36).slice(2, 8)}` },
  },
});
if (!values.room) {
  console.error('usage: generate-token.ts --room NAME [--identity NAME]');
  process.exit(2);
}

const token = new AccessToken(process.env.LIVEKIT_API_KEY, process.env.LIVEKIT_API_SECRET, {
  identity: values.identity,
  ttl: '1h',
});
token.addGrant({ roomJoin: true, room: values.room });

console.log(await token.toJwt());

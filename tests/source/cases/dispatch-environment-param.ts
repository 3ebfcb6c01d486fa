import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

export const onRequestPost: PagesFunction<Env> = async ({ request, env }) => {
  const body = await request.json();
  const token = new AccessToken(env.LIVEKIT_API_KEY, env.LIVEKIT_API_SECRET, { identity: 'me' });
  token.addGrant({ room: body.room, roomJoin: true });
  token.roomConfig = new RoomConfiguration({
    agents: [new RoomAgentDispatch({ agentName: env.VOICE_AGENT || 'workers-default' })],
  });
  return Response.json({ token: await token.toJwt() });
};

import { AccessToken, RoomAgentDispatch, RoomConfiguration } from 'livekit-server-sdk';

const AGENT_NAMES = { realtime: 'realtime-agent', pipeline: 'pipeline-agent' } as const;
type Mode = keyof typeof AGENT_NAMES;

export function token(body: { mode?: string }) {
  const mode: Mode = body.mode === 'realtime' ? 'realtime' : 'pipeline';
  const agentName = AGENT_NAMES[mode];
  const at = new AccessToken('key', 'secret');
  at.addGrant({ roomJoin: true });
  at.roomConfig = new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName })] });
  return at.toJwt();
}

import { AccessToken } from 'livekit-server-sdk';

export async function tokens(room: string) {
  const inference = new AccessToken('key', 'secret', { identity: 'agent' });
  inference.addInferenceGrant({ perform: true });

  const telemetry = new AccessToken('key', 'secret');
  telemetry.addObservabilityGrant({ write: true });

  const calls = new AccessToken('key', 'secret');
  calls.addSIPGrant({ admin: true });

  const agent = new AccessToken('key', 'secret', { identity: 'agent' });
  agent.kind = 'agent';
  agent.addGrant({ room, roomJoin: true });

  const caller = new AccessToken('key', 'secret', { identity: 'caller' });
  caller.addSIPGrant({ call: true });
  caller.addGrant({ room, roomJoin: true });
  return [inference, telemetry, calls, agent, caller].map((token) => token.toJwt());
}

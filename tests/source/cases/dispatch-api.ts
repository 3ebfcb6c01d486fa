import { AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';

const client = new AgentDispatchClient('http://host');
const rooms = new RoomServiceClient('http://host');

export async function start(room: string, kind: 'a' | 'b') {
  await client.createDispatch(room, 'by-call', { metadata: '{}', deployment: 'blue' });
  await client.createDispatch(room, kind === 'a' ? 'agent-a' : 'agent-b');
  await client.createDispatch(room, process.env.AGENT ?? 'from-env');
  await rooms.createRoom({ name: room, emptyTimeout: 60, agents: [{ agentName: 'with-the-room' }] });
  await rooms.createRoom({ name: 'empty' });
  for (const agent of ['one', 'two']) {
    await client.createDispatch(room, agent);
  }
}

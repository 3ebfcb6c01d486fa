export async function call(room) {
  const { AgentDispatchClient: Client } = await import('livekit-server-sdk');
  let client = null;
  if (process.env.LIVEKIT_URL) {
    client = new Client(process.env.LIVEKIT_URL);
  }
  await client?.createDispatch(room, 'imported-when-needed');
}

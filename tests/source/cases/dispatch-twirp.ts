const url = process.env.LIVEKIT_URL;

export async function dispatch(room: string, token: string) {
  await fetch(`${url}/twirp/livekit.AgentDispatchService/CreateDispatch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: JSON.stringify({ room, agent_name: 'without-an-sdk' }),
  });
}

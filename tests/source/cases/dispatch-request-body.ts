const AGENT = 'asked-for-in-the-body';

export async function connect() {
  const response = await fetch('/api/token', {
    method: 'POST',
    body: JSON.stringify({ room_config: { agents: [{ agent_name: AGENT }] } }),
  });
  return response.json();
}

import { TokenSource } from 'livekit-client';
import { useSession, SessionProvider } from '@livekit/components-react';

const tokenSource = TokenSource.endpoint('/api/token');

interface Props {
  agentName?: string;
}

export function Fixed() {
  const session = useSession(tokenSource, { agentName: 'fixed', roomName: 'r' });
  return <SessionProvider session={session}>{null}</SessionProvider>;
}

export function Passed({ agentName }: Props) {
  const session = useSession(tokenSource, agentName ? { agentName } : undefined);
  return <SessionProvider session={session}>{null}</SessionProvider>;
}

export function Automatic() {
  const session = useSession(tokenSource, { roomName: 'r' });
  return <SessionProvider session={session}>{null}</SessionProvider>;
}

export async function fetched() {
  return tokenSource.fetch({ agentName: process.env.NEXT_PUBLIC_AGENT_NAME });
}

import { useSession } from 'next-auth/react';

export function Page() {
  const { data } = useSession({ required: true, agentName: 'no-agent' });
  return <p>{data?.user.name}</p>;
}

import { TokenSource } from 'livekit-client';
import { useSession } from '@livekit/components-react';

export interface AppConfig {
  title: string;
  agentName?: string;
}

export const DEFAULTS: AppConfig = { title: 'Voice', agentName: 'from-the-settings' };

interface AppProps {
  appConfig: AppConfig;
}

export function App({ appConfig }: AppProps) {
  const session = useSession(
    TokenSource.endpoint('/api/token'),
    appConfig.agentName ? { agentName: appConfig.agentName } : undefined,
  );
  return <p>{session.connectionState}</p>;
}

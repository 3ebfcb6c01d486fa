import { cli, ServerOptions } from '@livekit/agents';

export const App = () => <div title="agentName: 'jsx'">{'x'}</div>;

cli.runApp(new ServerOptions({ agent: 'a', agentName: ("in-tsx" as string) }));

import { cli, ServerOptions } from '@livekit/agents';

const name = name2;
const name2 = name;
cli.runApp(new ServerOptions({ agent: 'a', agentName: name }));

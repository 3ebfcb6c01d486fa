import { cli, ServerOptions } from '@livekit/agents';

const broken = = 1;

cli.runApp(new ServerOptions({ agent: 'a', agentName: 'still-read' }));

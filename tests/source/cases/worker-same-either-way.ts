import { cli, ServerOptions } from '@livekit/agents';

cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName: process.argv[2] ? 'same' : 'same' }));

import { cli, ServerOptions } from '@livekit/agents';

const agentName = 'short' + '-' + 'hand';
cli.runApp(new ServerOptions({ agent: import.meta.filename, agentName }));

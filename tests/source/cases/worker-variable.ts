import { cli, ServerOptions } from '@livekit/agents';

const options = {
  agent: import.meta.filename,
  'agentName': 'kept-in-a-variable',
} satisfies Partial<ServerOptions>;

const server = new ServerOptions(options);
cli.runApp(server);

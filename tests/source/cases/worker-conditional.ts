import { cli, ServerOptions } from '@livekit/agents';

const production = process.env.NODE_ENV === 'production';
cli.runApp(
  new ServerOptions({
    agent: import.meta.filename,
    agentName: production ? 'bot' : 'bot-dev',
    ...(production && { initializeProcessTimeout: 60_000 }),
  }),
);
cli.runApp(new ServerOptions({ agent: import.meta.filename, ...(production ? { agentName: 'only-there' } : {}) }));

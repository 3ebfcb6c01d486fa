import { cli, ServerOptions } from '@livekit/agents';

cli.runApp(new ServerOptions({
  agent: import.meta.filename,
  agentName: process.env.AGENT_NAME,
  initializeProcessTimeout: 60_000,
}));

import { cli, ServerOptions } from '@livekit/agents';

cli.runApp(new ServerOptions({
  agent: import.meta.filename,
  agentName: process.env.VOICE_AGENT,
  initializeProcessTimeout: 60_000,
}));
